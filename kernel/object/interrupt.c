// SPDX-License-Identifier: MIT
// InterruptController and Interrupt: lines of the machine's interrupt controller, and messages.
//
// A line is masked from each interrupt until the next wait, so a level-triggered device that
// nobody serves can't flood the CPU.  Messages can't be masked: those that nobody waits for are
// counted.  A number is a line's, or behind the last line a message's.
//
// Invariants:
//  1. A line belongs to at most one Interrupt.
//  2. The line is unmasked exactly while somebody waits, or while an interrupt is owed to
//     nobody because the wait was withdrawn, or from a notify or rearm to the next interrupt.
//
// Tested in tests/core/devices_test.c.

#include <gen/kernel/interrupt.h>
#include <kernel/arch.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/ipc/op.h>
#include <kernel/mm/slab.h>
#include <kernel/object/interrupt.h>
#include <kernel/object/objects.h>
#include <kernel/sched/process.h>
#include <lib/container_of.h>

struct interrupt {
    struct object object;
    struct budget *budget; // referenced
    uint32_t line;         // or the number of a message
    uint64_t count;
    bool owed;           // one came while nobody waited
    struct list waiters; // struct op.queue_link
    // Interrupt.notify: nullptr, or a reference, and the bits that are set there.
    struct object *notification;
    uint64_t bits;
};

static struct slab_cache interrupt_cache = SLAB_CACHE(struct interrupt);
static struct interrupt *lines[ARCH_IRQ_COUNT_MAX];

static const struct object_type controller_type = {
    .dispatch = &interrupt_controller_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
};

static struct object controller = {.type = &controller_type, .reference_count = 1};

struct object *interrupt_controller_object(void)
{
    return &controller;
}

static void interrupt_destroy(struct object *object)
{
    struct interrupt *interrupt = container_of(object, struct interrupt, object);
    struct budget *budget = interrupt->budget;
    ASSERT(lines[interrupt->line] == interrupt && list_empty(&interrupt->waiters));
    arch_irq_mask(interrupt->line);
    lines[interrupt->line] = nullptr;
    if (interrupt->notification != nullptr)
        object_put(interrupt->notification);
    slab_put(&interrupt_cache, budget, interrupt);
    object_put(&budget->object);
}

static const struct object_type interrupt_type = {
    .dispatch = &interrupt_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .destroy = interrupt_destroy,
};

static struct interrupt *interrupt_of(struct object *object)
{
    ASSERT(object->type == &interrupt_type);
    return container_of(object, struct interrupt, object);
}

// nullptr without memory.
static struct interrupt *create(struct budget *budget, uint32_t line)
{
    ASSERT(lines[line] == nullptr);
    struct interrupt *interrupt = slab_get(&interrupt_cache, budget);
    if (interrupt == nullptr)
        return nullptr;
    object_init(&interrupt->object, &interrupt_type);
    object_get(&budget->object);
    interrupt->budget = budget;
    interrupt->line = line;
    list_init(&interrupt->waiters);
    lines[line] = interrupt;
    return interrupt;
}

enum status interrupt_controller_bind(struct object *, struct invocation *invocation,
                                      const struct interrupt_controller_bind_params *params,
                                      struct interrupt_controller_bind_results *out_results)
{
    if (params->line >= arch_irq_count())
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "line: below the number of inputs of the I/O APIC");
    if (lines[params->line] != nullptr)
        return invocation_fail(invocation, STATUS_FAILED, "line: bound already");
    struct interrupt *interrupt = create(invocation->process->budget, params->line);
    if (interrupt == nullptr)
        return STATUS_OVERLOADED;
    arch_irq_setup(params->line, params->trigger == TRIGGER_LEVEL);
    out_results->interrupt = invocation_add_capability(invocation, &interrupt->object);
    return STATUS_OK;
}

enum status
interrupt_controller_message(struct object *, struct invocation *invocation,
                             struct interrupt_controller_message_results *out_results)
{
    uint32_t number = arch_irq_count();
    while (number < ARCH_IRQ_COUNT_MAX && lines[number] != nullptr)
        number++;
    if (number == ARCH_IRQ_COUNT_MAX)
        return invocation_fail(invocation, STATUS_OVERLOADED, "all messages are in use");
    struct interrupt *interrupt = create(invocation->process->budget, number);
    if (interrupt == nullptr)
        return STATUS_OVERLOADED;
    arch_irq_message(number, &out_results->address, &out_results->data);
    out_results->interrupt = invocation_add_capability(invocation, &interrupt->object);
    return STATUS_OK;
}

static void wait_cancel(struct op *op)
{
    list_remove(&op->queue_link);
}

enum status interrupt_notify(struct object *self, struct invocation *invocation,
                             const struct interrupt_notify_params *params)
{
    struct interrupt *interrupt = interrupt_of(self);
    if (params->bits == 0)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, "bits: at least one");
    struct object *notification = invocation_object(invocation, params->notification);
    struct object *before = interrupt->notification;
    object_get(notification);
    interrupt->notification = notification;
    interrupt->bits = params->bits;
    if (before != nullptr)
        object_put(before);
    if (interrupt->owed) {
        interrupt->owed = false;
        notification_post(notification, params->bits);
    } else {
        arch_irq_unmask(interrupt->line);
    }
    return STATUS_OK;
}

enum status interrupt_rearm(struct object *self, struct invocation *invocation)
{
    struct interrupt *interrupt = interrupt_of(self);
    if (interrupt->notification == nullptr)
        return invocation_fail(invocation, STATUS_FAILED, "no notify came before");
    arch_irq_unmask(interrupt->line);
    return STATUS_OK;
}

enum status interrupt_wait(struct object *self, struct invocation *invocation,
                           struct interrupt_wait_results *out_results)
{
    struct interrupt *interrupt = interrupt_of(self);
    if (interrupt->owed) {
        interrupt->owed = false;
        out_results->count = interrupt->count;
        return STATUS_OK;
    }
    struct op *op = invocation_defer(invocation, self, wait_cancel);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    list_push_back(&interrupt->waiters, &op->queue_link);
    arch_irq_unmask(interrupt->line);
    return STATUS_PENDING;
}

void interrupt_raise(uint32_t line)
{
    struct interrupt *interrupt = lines[line];
    if (interrupt == nullptr)
        return;
    interrupt->count++;
    interrupt->owed = list_empty(&interrupt->waiters) && interrupt->notification == nullptr;
    if (interrupt->notification != nullptr)
        notification_post(interrupt->notification, interrupt->bits);
    struct interrupt_wait_results results = {.count = interrupt->count};
    struct list_link *link;
    while ((link = list_pop_front(&interrupt->waiters)) != nullptr)
        interrupt_wait_complete(container_of(link, struct op, queue_link), &results);
}
