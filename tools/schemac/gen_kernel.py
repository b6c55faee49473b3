# SPDX-License-Identifier: MIT
"""gen/kernel: prototypes of the kernel's methods, and the dispatch that leads to them.

What the generated code calls is kernel/ipc/invocation.h.
"""

from codegen import HEAD, Layout, c_constant, c_name, is_kernel_homed, stem, wrap_call, comment
from model import snake

DISPATCH = HEAD % 'schema/*.capnp' + '''// How the kernel finds the implementation of a method.
#pragma once

#include <gen/status.h>
#include <stdint.h>

struct invocation;
struct object;

struct method_dispatch {
    const char *name;
    // Decodes the params in the invocation, checks the interfaces of capability params,
    // calls the implementation and encodes the results.
    enum status (*call)(struct object *self, struct invocation *invocation);
    uint32_t params_bytes_max;  // a longer message is STATUS_BAD_MESSAGE
    uint32_t results_bytes_min; // with empty Text and Data; less room: STATUS_NO_RESULT_SPACE
    uint16_t params_caps;       // capabilities that the params can name
    uint16_t results_caps;      // capabilities that the results can name
    bool pending;               // may be deferred
};

struct interface_dispatch {
    uint64_t interface_id;
    const char *name;
    uint16_t method_count;
    const struct method_dispatch *methods; // by ordinal
};
'''


def kernel_interfaces(schema, file):
    return [node for node in schema.of_file(file, 'interface') if is_kernel_homed(node)]


class MethodNames:
    def __init__(self, schema, interface, method):
        self.method = method
        self.params = Layout(schema, schema.nodes[method.params_id])
        self.results = Layout(schema, schema.nodes[method.results_id])
        self.name = '%s_%s' % (c_name(interface), snake(method.name))
        # `() -> FooResults` has parameters without a name of their own.
        self.params.name, self.results.name = self.name + '_params', self.name + '_results'
        self.pending = 'pending' in method.annotations
        self.constant = '%s_METHOD_%s' % (c_constant(interface), snake(method.name).upper())


def methods_of(schema, interface):
    return [MethodNames(schema, interface, method) for method in interface.methods]


def prototype(names):
    arguments = ['struct object *self', 'struct invocation *invocation']
    if not names.params.is_empty:
        arguments.append('const struct %s *params' % names.params.name)
    if not names.results.is_empty:
        arguments.append('struct %s *out_results' % names.results.name)
    return wrap_call('[[nodiscard]] enum status %s' % names.name, arguments)


def complete_prototype(names, suffix=';'):
    arguments = ['struct op *op']
    if not names.results.is_empty:
        arguments.append('const struct %s *results' % names.results.name)
    return wrap_call('void %s_complete' % names.name, arguments, suffix=suffix)


def complete_definition(names):
    if names.results.is_empty:
        return complete_prototype(names, '') + '\n{\n    op_complete(op, 0);\n}\n\n'
    return complete_prototype(names, '') + '''
{
    uint32_t room_bytes;
    void *room = op_results(op, &room_bytes);
    uint32_t size_bytes = %s_encode(results, room, room_bytes);
    if (size_bytes == 0)
        op_fail(op, STATUS_NO_RESULT_SPACE, "the results exceed the caller's buffer");
    else
        op_complete(op, size_bytes);
}

''' % names.results.name


def room_of(results):
    """The room for results: of one size, which the core has made sure of, or what there is."""
    constant = results.name.upper() + '_BYTES_MAX'
    return constant if results.bytes_min() == results.bytes_max() else 'room_bytes'


def call_definition(schema, names):
    params, results = names.params, names.results
    body = []
    if params.is_empty:
        body.append('    enum status status = wire_read_empty(invocation->params, '
                    'invocation->params_bytes);\n')
    else:
        body.append('    struct %s params;\n' % params.name)
        body.append('    enum status status =\n' + wrap_call(
            '        %s_decode' % params.name,
            ['invocation->params', 'invocation->params_bytes', '&params']) + '\n')
    for leaf in params.capabilities:
        interface = 'INTERFACE_' + c_constant(schema.nodes[leaf.type.type_id]) \
            if leaf.type.kind == 'interface' else '0'
        body.append('    if (status == STATUS_OK)\n' + wrap_call(
            '        status = invocation_check_capability',
            ['invocation', 'params.%s' % leaf.path, interface]) + '\n')
    arguments = ['self', 'invocation'] + ([] if params.is_empty else ['&params']) + \
        ([] if results.is_empty else ['&results'])
    body.append('    if (status != STATUS_OK)\n        return status;\n')
    call = '%s(%s)' % (names.name, ', '.join(arguments))
    if results.is_empty:
        body.append('    return %s;\n' % call)
    else:
        body.append('''    struct %(results)s results;
    status = %(call)s;
    if (status != STATUS_OK)
        return status;
    uint32_t room_bytes;
    void *room = invocation_results(invocation, &room_bytes);
    uint32_t size_bytes = %(results)s_encode(&results, room, %(room)s);
    if (size_bytes == 0)
        return STATUS_NO_RESULT_SPACE;
    invocation_set_results_bytes(invocation, size_bytes);
    return STATUS_OK;
''' % {'results': results.name, 'call': call, 'room': room_of(results)})
    return ('static enum status call_%s(struct object *self,\n'
            '%sstruct invocation *invocation)\n'
            '{\n%s}\n\n' % (names.name, ' ' * (len('static enum status call_(') + len(names.name)), ''.join(body)))


def table(interface, all_names):
    out = ['static const struct method_dispatch %s_dispatch_methods[] = {\n' % c_name(interface)]
    for names in all_names:
        out.append('''    [%s] =
        {
            .name = "%s",
            .call = call_%s,
            .params_bytes_max = %d,
            .results_bytes_min = %d,
            .params_caps = %d,
            .results_caps = %d,
            .pending = %s,
        },
''' % (names.constant, names.method.name, names.name, max(params_room(names), 8),
       names.results.bytes_min(), len(names.params.capabilities),
       len(names.results.capabilities), 'true' if names.pending else 'false'))
    out.append('};\n\n')
    out.append('''const struct interface_dispatch %(name)s_dispatch = {
    .interface_id = INTERFACE_%(constant)s,
    .name = "%(path)s",
    .method_count = %(constant)s_METHODS,
    .methods = %(name)s_dispatch_methods,
};

''' % {'name': c_name(interface), 'constant': c_constant(interface), 'path': interface.path})
    return ''.join(out)


def params_room(names):
    """The longest message that is looked at: every field at its bound, and room for fields
    that a newer client's struct may have."""
    return names.params.bytes_max() + 64


def limits(all_names):
    """Asserts that what lint.py knows of the kernel's limits is what the kernel has."""
    out = []
    for names in all_names:
        out.append('static_assert(%d <= INVOCATION_PARAMS_BYTES_MAX);\n' % params_room(names))
        out.append('static_assert(%d <= INVOCATION_RESULTS_BYTES_MAX);\n'
                   % names.results.bytes_max())
        out.append('static_assert(%d <= CAPOS_TRANSFER_COUNT_MAX);\n'
                   % max(len(names.params.capabilities), len(names.results.capabilities)))
    return ''.join(sorted(set(out)))


def kernel_files(schema, file):
    interfaces = kernel_interfaces(schema, file)
    if not interfaces:
        return {}
    name = stem(file)
    head = HEAD % ('schema/%s.capnp' % name)
    header = [head, '''// The methods that the kernel's objects implement.  Params are lent for the call; results
// are written only on success.  A method that may be deferred returns STATUS_PENDING
// after invocation_defer, and is answered by its X_complete, which frees the op.
#pragma once

#include <gen/interfaces.h>
#include <gen/kernel/dispatch.h>
#include <gen/status.h>
#include <gen/wire/%s.h>

struct invocation;
struct object;
struct op;

''' % name]
    source = [head, '''#include <gen/kernel/%s.h>

#include <kernel/ipc/invocation.h>

''' % name]
    all_names = []
    for interface in interfaces:
        methods = methods_of(schema, interface)
        all_names += methods
        for names in methods:
            header.append(comment(names.method.doc) + prototype(names) + '\n')
            if names.pending:
                header.append(complete_prototype(names) + '\n')
        header.append('\nextern const struct interface_dispatch %s_dispatch;\n\n' % c_name(interface))
        for names in methods:
            source.append(call_definition(schema, names))
            if names.pending:
                source.append(complete_definition(names))
        source.append(table(interface, methods))
    source.append(limits(all_names))
    return {'kernel/%s.h' % name: ''.join(header).rstrip() + '\n',
            'kernel/%s.c' % name: ''.join(source).rstrip() + '\n'}
