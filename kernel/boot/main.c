// SPDX-License-Identifier: MIT
// From a described machine to init's first thread.
//
// The kernel starts one program, the file "init" of the boot package, and gives it every
// root capability; what everything else gets is init's decision.  See boot/init.c for the
// loading.

#include <kernel/upcall.h>

#include <kernel/boot/init.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/ipc/park.h>
#include <kernel/mm/budget.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/memory_object.h>
#include <kernel/object/entropy_source.h>
#include <kernel/object/objects.h>
#include <kernel/object/roots.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <lib/string.h>

static void grant(struct process *init, const char *name, struct object *object)
{
    ASSERT(object != nullptr);
    enum status status =
        process_grant(init, name, (uint32_t)strlen(name), object, object_interface_id(object),
                      (enum capos_hold_mode)object->type->hold_mode);
    if (status != STATUS_OK)
        PANIC("can't grant %s to init: status %d", name, (int)status);
}

// The same for an object whose one reference was ours.
static void grant_own(struct process *init, const char *name, struct object *object)
{
    grant(init, name, object);
    object_put(object);
}

static void grant_roots(struct process *init, struct budget *budget,
                        const struct boot_info *info)
{
    grant(init, "console", console_object());
    grant(init, "timer", timer_object());
    grant(init, "entropy", entropy_source_object());
    grant(init, "spawner", process_spawner_object());
    grant(init, "threads", thread_spawner_normal());
    grant(init, "urgent", thread_spawner_any());
    grant(init, "thread", thread_control_object());
    grant(init, "park", park_space_object());
    grant(init, "interrupts", interrupt_controller_object());
    grant(init, "inspector", system_inspector_object());
    grant_own(init, "memory", virtual_memory_create());
    grant(init, "budget", &budget->object);
    struct object *files = boot_package_create(budget, info);
    if (files == nullptr)
        PANIC("the boot package is missing, not page-aligned, or damaged");
    grant_own(init, "boot", files);
    grant_own(init, "devices", device_memory_create_root(budget));
    grant(init, "dma", dma_pool_object());
    grant(init, "forker", forker_object());
    grant_own(init, "ports", io_ports_create_root(budget));
    grant_own(init, "pci", io_ports_create_pci(budget));
}

struct thread *kernel_boot(const struct boot_info *info)
{
    frame_init(info);
    entropy_init();
    park_init();
    sched_init();
    struct budget *budget = budget_init();
    struct process *init = process_create(budget, "init", 4);
    if (init == nullptr)
        PANIC("no memory for init: %llu KiB of RAM are too few",
              (unsigned long long)(frame_total_count() * PAGE_BYTES / 1024));
    init->is_init = true;
    grant_roots(init, budget, info);
    init_start(init, info);
    object_put(&init->object); // it runs, and that keeps it
    return sched_leave();
}
