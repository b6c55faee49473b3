// SPDX-License-Identifier: MIT
// IoPorts: a range of x86 I/O ports (interface: schema/io_ports.capnp).
//
// Ports are read and written by the kernel on the driver's behalf, so that there is no
// I/O permission bitmap per process.  Tested in device_test.c.
#include <gen/kernel/io_ports.h>
#include <kernel/arch.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/slab.h>
#include <kernel/object/roots.h>
#include <kernel/sched/process.h>

constexpr uint32_t PORT_COUNT = 65536;
// The configuration of PCI devices: which register, and its data (PCI Local Bus Specification
// 3.0, 3.2.2.3.2).
constexpr uint32_t PCI_FIRST = 0xcf8, PCI_COUNT = 8;
constexpr unsigned SELECTION_BYTES = 4;

struct io_ports {
    struct object object;
    struct budget *budget; // referenced
    uint32_t first;        // [first, end)
    uint32_t end;
};

static struct slab_cache io_ports_cache = SLAB_CACHE(struct io_ports);

static struct io_ports *io_ports_of(struct object *object)
{
    return (struct io_ports *)object;
}
static_assert(offsetof(struct io_ports, object) == 0);

static void io_ports_destroy(struct object *self)
{
    struct budget *budget = io_ports_of(self)->budget;
    slab_put(&io_ports_cache, budget, io_ports_of(self));
    object_put(&budget->object);
}

static const struct object_type io_ports_type = {
    .dispatch = &io_ports_dispatch,
    .destroy = io_ports_destroy,
};

static struct object *create(struct budget *budget, uint32_t first, uint32_t end)
{
    struct io_ports *ports = slab_get(&io_ports_cache, budget);
    if (ports == nullptr)
        return nullptr;
    object_init(&ports->object, &io_ports_type);
    ports->budget = budget;
    ports->first = first;
    ports->end = end;
    object_get(&budget->object);
    return &ports->object;
}

struct object *io_ports_create_pci(struct budget *budget)
{
    return create(budget, PCI_FIRST, PCI_FIRST + PCI_COUNT);
}

struct object *io_ports_create_root(struct budget *budget)
{
    return create(budget, 0, PORT_COUNT);
}

static bool contains(const struct io_ports *ports, uint32_t first, uint32_t count)
{
    return first >= ports->first && first <= ports->end && count <= ports->end - first;
}

enum status io_ports_range(struct object *self, struct invocation *invocation,
                           const struct io_ports_range_params *params,
                           struct io_ports_range_results *out_results)
{
    const struct io_ports *ports = io_ports_of(self);
    if (params->count == 0 || !contains(ports, params->first, params->count))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "first, count: at least one port, all within this range");
    struct object *narrower =
        create(invocation->process->budget, params->first, params->first + params->count);
    if (narrower == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED,
                               "the caller's memory budget is exhausted");
    out_results->ports = invocation_add_capability(invocation, narrower);
    return STATUS_OK;
}

// Checks a port and a width; STATUS_OK or the call's failure.
static enum status check_access(const struct io_ports *ports, struct invocation *invocation,
                                uint16_t port, uint8_t width_bytes)
{
    if (width_bytes != 1 && width_bytes != 2 && width_bytes != 4)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, "widthBytes: 1, 2 or 4");
    if (!contains(ports, port, width_bytes))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "port: the port and its whole width lie within this range");
    return STATUS_OK;
}

static enum status check_value(struct invocation *invocation, uint32_t value,
                               uint8_t width_bytes)
{
    if ((uint64_t)value >> (8 * width_bytes) != 0)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "value: 0 to 2^(8 * widthBytes) - 1");
    return STATUS_OK;
}

enum status io_ports_read(struct object *self, struct invocation *invocation,
                          const struct io_ports_read_params *params,
                          struct io_ports_read_results *out_results)
{
    enum status status =
        check_access(io_ports_of(self), invocation, params->port, params->width_bytes);
    if (status != STATUS_OK)
        return status;
    out_results->value = arch_port_read(params->port, params->width_bytes);
    return STATUS_OK;
}

enum status io_ports_write(struct object *self, struct invocation *invocation,
                           const struct io_ports_write_params *params)
{
    enum status status =
        check_access(io_ports_of(self), invocation, params->port, params->width_bytes);
    if (status != STATUS_OK)
        return status;
    status = check_value(invocation, params->value, params->width_bytes);
    if (status != STATUS_OK)
        return status;
    arch_port_write(params->port, params->width_bytes, params->value);
    return STATUS_OK;
}

// Of a register that is selected by another port.
static enum status check_selected(const struct io_ports *ports, struct invocation *invocation,
                                  uint16_t select_port, uint16_t port, uint8_t width_bytes)
{
    if (!contains(ports, select_port, SELECTION_BYTES))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "selectPort: it and the three ports behind it lie within this "
                               "range");
    return check_access(ports, invocation, port, width_bytes);
}

enum status io_ports_read_selected(struct object *self, struct invocation *invocation,
                                   const struct io_ports_read_selected_params *params,
                                   struct io_ports_read_selected_results *out_results)
{
    enum status status = check_selected(io_ports_of(self), invocation, params->select_port,
                                        params->port, params->width_bytes);
    if (status != STATUS_OK)
        return status;
    arch_port_write(params->select_port, SELECTION_BYTES, params->selection);
    out_results->value = arch_port_read(params->port, params->width_bytes);
    return STATUS_OK;
}

enum status io_ports_write_selected(struct object *self, struct invocation *invocation,
                                    const struct io_ports_write_selected_params *params)
{
    enum status status = check_selected(io_ports_of(self), invocation, params->select_port,
                                        params->port, params->width_bytes);
    if (status == STATUS_OK)
        status = check_value(invocation, params->value, params->width_bytes);
    if (status != STATUS_OK)
        return status;
    arch_port_write(params->select_port, SELECTION_BYTES, params->selection);
    arch_port_write(params->port, params->width_bytes, params->value);
    return STATUS_OK;
}
