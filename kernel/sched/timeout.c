// SPDX-License-Identifier: MIT
// Deadlines, in one tree for the machine.  See timeout.h.

#include <kernel/sched/timeout.h>

#include <kernel/arch.h>
#include <kernel/debug/panic.h>
#include <kernel/sched/cpu.h>

static struct rbtree timeouts;

static bool timeout_before(const struct rbtree_node *a, const struct rbtree_node *b)
{
    return container_of(a, const struct timeout, node)->deadline_ns <
           container_of(b, const struct timeout, node)->deadline_ns;
}

void timeout_start(struct timeout *timeout, uint64_t deadline_ns,
                   void (*fire)(struct timeout *timeout))
{
    ASSERT(!timeout->pending);
    timeout->deadline_ns = deadline_ns;
    timeout->fire = fire;
    timeout->pending = true;
    rbtree_insert(&timeouts, &timeout->node, timeout_before);
    arch_cpu()->changed = true;
}

void timeout_stop(struct timeout *timeout)
{
    if (!timeout->pending)
        return;
    timeout->pending = false;
    rbtree_remove(&timeouts, &timeout->node);
    arch_cpu()->changed = true;
}

void timeout_expire(uint64_t now_ns)
{
    struct rbtree_node *node;
    while ((node = rbtree_first(&timeouts)) != nullptr) {
        struct timeout *timeout = container_of(node, struct timeout, node);
        if (timeout->deadline_ns > now_ns)
            return;
        timeout_stop(timeout);
        timeout->fire(timeout);
    }
}

uint64_t timeout_next_ns(void)
{
    struct rbtree_node *node = rbtree_first(&timeouts);
    return node == nullptr ? UINT64_MAX : container_of(node, struct timeout, node)->deadline_ns;
}
