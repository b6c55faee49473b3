// SPDX-License-Identifier: MIT
// The kernel's objects as other parts of the kernel make or find them.
#pragma once

#include <stdint.h>

#include <gen/wire/thread.h> // enum latency_class

struct boot_info;
struct budget;
struct object;

constexpr uint32_t ENDPOINT_QUEUE_MAX = 4096;

// Each returns one reference and no hold, charged to the budget; nullptr when the budget is
// exhausted.
[[nodiscard]] struct object *endpoint_create(struct budget *budget, uint32_t queue_max);
[[nodiscard]] struct object *notification_create(struct budget *budget);

// Sets bits of a notification, which are not zero, as Notification.signal does.
void notification_post(struct object *notification, uint64_t bits);

// The objects of which there is one, lent.
[[nodiscard]] struct object *console_object(void);
[[nodiscard]] struct object *timer_object(void);
[[nodiscard]] struct object *entropy_source_object(void);
[[nodiscard]] struct object *process_spawner_object(void);
[[nodiscard]] struct object *interrupt_controller_object(void);
[[nodiscard]] struct object *system_inspector_object(void);
[[nodiscard]] struct object *thread_control_object(void);
[[nodiscard]] struct object *park_space_object(void);

// The ThreadSpawners that bound threads at PRIORITY_NORMAL and normal latency, and not at all;
// lent.
[[nodiscard]] struct object *thread_spawner_normal(void);
[[nodiscard]] struct object *thread_spawner_any(void);
// What threads of a ThreadSpawner may reach.
void thread_spawner_bounds(struct object *spawner, uint8_t *out_priority_max,
                           enum latency_class *out_latency_max);

// The interface that calls on an object name.
[[nodiscard]] uint64_t object_interface_id(const struct object *object);
