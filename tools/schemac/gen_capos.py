# SPDX-License-Identifier: MIT
"""gen/capos: C clients of every interface, and the server glue of service-homed ones.

What the generated code calls is libcapos/include/capos/call.h.
"""

from codegen import (HEAD, SCALAR_C, c_constant, c_name, comment, enum_name,
                     is_capability, is_kernel_homed, is_text_like, stem, wrap_call)
from gen_kernel import methods_of
from model import snake

# What generated bodies name; an argument of the same name gets a suffix.
RESERVED = {'self', 'call', 'params', 'results', 'status', 'message', 'message_bytes',
            'transfers', 'transfer_count', 'synchronous', 'promised', 'context', 'ops', 'buffer',
            'buffer_bytes', 'bytes_max', 'request', 'request_bytes', 'results_bytes',
            'params_bytes_max'}


def argument_name(leaf, taken=()):
    name = '_'.join(leaf.names)
    return name + '_value' if name in RESERVED or name in taken else name


def cap_type(schema, type):
    if type.kind == 'capability':
        return 'capos_cap_id'
    return c_name(schema.nodes[type.type_id]) + '_cap'


def c_type(schema, type):
    return 'enum ' + enum_name(schema, type) if type.kind == 'enum' else SCALAR_C[type.kind]


def bound_name(layout, leaf):
    return '%s_%s_BYTES_MAX' % (layout.name.upper(), '_'.join(leaf.names).upper())


class Client:
    """The client functions of one method."""

    def __init__(self, schema, interface, names):
        self.schema, self.interface, self.names = schema, interface, names
        self.params, self.results, self.name = names.params, names.results, names.name
        self.self = c_name(interface) + '_cap self'
        self.param_names = {argument_name(leaf) for leaf in self.params.leaves}
        # Without capabilities a synchronous call has a shorter way.
        self.plain = not self.params.capabilities and not self.results.capabilities
        # With more than one, the index would depend on which of them are null.
        self.promises = (self.params.is_flat and self.results.is_flat and
                         len(self.results.capabilities) == 1)

    # Arguments as declared, and as passed on.

    def request_arguments(self, transfers):
        if not self.params.is_flat:
            return ['const void *request', 'size_t request_bytes'] + (
                ['const struct capos_transfer *transfers', 'uint32_t transfer_count']
                if self.params.capabilities else [])
        out = []
        for leaf in self.params.leaves:
            name = argument_name(leaf)
            if leaf.type.kind == 'text':
                out += ['const char *%s' % name, 'size_t %s_bytes' % name]
            elif leaf.type.kind == 'data':
                out += ['const void *%s' % name, 'size_t %s_bytes' % name]
            elif is_capability(leaf.type):
                out.append(('struct capos_transfer' if transfers
                            else cap_type(self.schema, leaf.type)) + ' ' + name)
            else:
                out.append('%s %s' % (c_type(self.schema, leaf.type), name))
        return out

    def request_values(self, transfers):
        if not self.params.is_flat:
            return ['request', 'request_bytes'] + (
                ['transfers', 'transfer_count'] if self.params.capabilities else [])
        out = []
        for leaf in self.params.leaves:
            name = argument_name(leaf)
            if is_text_like(leaf.type):
                out += [name, name + '_bytes']
            elif is_capability(leaf.type) and not transfers:
                out.append('capos_transfer_copy(%s%s)'
                           % (name, '.id' if leaf.type.kind == 'interface' else ''))
            else:
                out.append(name)
        return out

    def result_name(self, leaf):
        name = argument_name(leaf)
        return 'result_' + name if name in self.param_names else name

    def result_leaves(self):
        """Those with arguments of their own."""
        return self.results.leaves if self.results.is_flat else self.results.capabilities

    def result_arguments(self):
        out = []
        if not self.results.is_flat:
            out += ['void *buffer', 'size_t buffer_bytes',
                    'struct %s *out_results' % self.results.name]
        for leaf in self.result_leaves():
            name = self.result_name(leaf)
            if is_text_like(leaf.type):
                out += ['%s *%s' % ('char' if leaf.type.kind == 'text' else 'void', name),
                        'size_t %s_max' % name, 'size_t *out_%s_bytes' % name]
            elif is_capability(leaf.type):
                out.append('%s *out_%s' % (cap_type(self.schema, leaf.type), '_'.join(leaf.names)))
            else:
                out.append('%s *out_%s' % (c_type(self.schema, leaf.type), '_'.join(leaf.names)))
        return out

    def result_values(self):
        out = [] if self.results.is_flat else ['buffer', 'buffer_bytes', 'out_results']
        for leaf in self.result_leaves():
            name = self.result_name(leaf)
            if is_text_like(leaf.type):
                out += [name, name + '_max', 'out_%s_bytes' % name]
            else:
                out.append('out_' + '_'.join(leaf.names))
        return out

    # Declarations.

    def functions(self):
        """(prefix, arguments, body) of each public function but finish."""
        has_caps = self.params.is_flat and bool(self.params.capabilities)
        for transfers in (False, True) if has_caps else (False,):
            name = self.name + ('_transfer' if transfers else '')
            values = self.request_values(transfers)
            arguments = self.request_arguments(transfers)
            yield ('enum status %s' % name, [self.self] + arguments + self.result_arguments(),
                   self.sync_body(values))
            yield ('enum status %s_begin' % name,
                   ['struct capos_call *call', self.self] + arguments, self.begin_body(values))
            if self.promises:
                yield ('enum status %s_promise' % name,
                       ['struct capos_call *call', self.self] + arguments +
                       [self.promised_argument()], self.promise_body(values))

    def finish_head(self):
        return ('enum status %s_finish' % self.name,
                ['struct capos_call *call'] + self.result_arguments())

    def declarations(self):
        out = [comment(self.names.method.doc)]
        for prefix, arguments, _ in self.functions():
            out.append(wrap_call('[[nodiscard]] ' + prefix, arguments) + '\n')
        prefix, arguments = self.finish_head()
        out.append(wrap_call('[[nodiscard]] ' + prefix, arguments) + '\n')
        return ''.join(out) + '\n'

    # Definitions.

    def sync_body(self, values):
        return self.plain_sync_body() if self.plain else self.stepwise_sync_body(values)

    def plain_sync_body(self):
        room, size, body = self.plain_params('capos_sync_end(message, STATUS_BAD_MESSAGE)')
        begin = wrap_call('    void *message = capos_sync_begin',
                          [room, self.results_room(bounded=True)])
        call = wrap_call('    int64_t results_bytes = capos_sync_call', [
            'message', 'self.id', 'capos_linked_id(&capos_interface_%s)' % c_name(self.interface),
            self.names.constant, size])
        out = [*self.plain_checks(), begin,
               '\n    if (message == nullptr)\n        return STATUS_OVERLOADED;\n', body, call,
               '\n    if (results_bytes < 0)\n'
               '        return capos_sync_end(message, (enum status)-results_bytes);\n']
        if self.results.is_empty:
            out.append('    return capos_sync_end(message, STATUS_OK);\n')
        else:
            out += [wrap_call('    enum status status = %s_results_get' % self.name,
                              ['message', '(uint32_t)results_bytes'] + self.result_values()),
                    '\n    return capos_sync_end(message, status);\n']
        return ''.join(out)

    def stepwise_sync_body(self, values):
        call = wrap_call('    enum status status = %s_request' % self.name,
                         ['&call'] + self.kind_values('true') +
                         [self.results_room(bounded=True), 'self'] + values)
        return ('    struct capos_call call;\n%s\n    if (status != STATUS_OK)\n'
                '        return status;\n%s\n'
                % (call, wrap_call('    return %s_finish' % self.name,
                                   ['&call'] + self.result_values())))

    def begin_body(self, values):
        if self.plain:
            return self.plain_begin_body()
        return wrap_call('    return %s_request' % self.name,
                         ['call'] + self.kind_values('false') +
                         [self.results_room(bounded=False), 'self'] + values) + '\n'

    def plain_begin_body(self):
        room, size, body = self.plain_params('capos_call_abandon(call, STATUS_BAD_MESSAGE)')
        begin = ['call', room, '0', self.results_room(bounded=False), '0']
        return ''.join([
            *self.plain_checks(), wrap_call('    void *message = capos_call_begin', begin),
            '\n    if (message == nullptr)\n        return STATUS_OVERLOADED;\n', body,
            wrap_call('    enum status status = capos_call_submit', [
                'call', 'self.id',
                'capos_linked_id(&capos_interface_%s)' % c_name(self.interface),
                self.names.constant, size, 'nullptr', '0']),
            '\n    return status == STATUS_OK ? status : capos_call_abandon(call, status);\n'])

    # The parameters of a call without capabilities: the checks before there is a buffer; its
    # size, the message's size, and what fills it.

    def plain_checks(self):
        if not self.params.is_flat:
            yield ('    if (request_bytes > %s_BYTES_MAX || request_bytes %% 8 != 0)\n'
                   '        return STATUS_BAD_MESSAGE;\n' % self.params.name.upper())
            return
        tests, room = self.params_room()
        if tests:
            yield '    if (%s)\n        return STATUS_BAD_MESSAGE;\n' % ' ||\n        '.join(tests)
            yield '    uint32_t params_bytes_max = %s;\n' % room

    def plain_params(self, failure):
        if not self.params.is_flat:
            return ('(uint32_t)request_bytes', '(uint32_t)request_bytes',
                    '    __builtin_memcpy(message, request, request_bytes);\n')
        if self.params.is_empty:
            return '0', '0', ''
        tests, room = self.params_room()
        if tests:
            room = 'params_bytes_max'
        write = wrap_call('    uint32_t message_bytes = %s_params_put' % self.name,
                          ['message', room] + self.request_values(True))
        return (room, 'message_bytes',
                write + '\n    if (message_bytes == 0)\n        return %s;\n' % failure)

    def params_room(self):
        """The tests of bounds, and the room for the message."""
        texts = [leaf for leaf in self.params.leaves if is_text_like(leaf.type)]
        tests = ['%s_bytes > %s' % (argument_name(leaf), bound_name(self.params, leaf))
                 for leaf in texts]
        room = [str(self.params.bytes_min())]
        for leaf in texts:
            extra = ' + 1' if leaf.type.kind == 'text' else ''
            room.append('capos_room(%s_bytes%s, %s%s)'
                        % (argument_name(leaf), extra, bound_name(self.params, leaf), extra))
        return tests, ' + '.join(room)

    def write(self):
        """Encodes the arguments."""
        if not self.params.is_flat or self.params.is_empty:
            return ''
        head = wrap_call('static inline uint32_t %s_params_put' % self.name,
                         ['void *message', 'uint32_t bytes_max'] + self.request_arguments(True),
                         suffix='')
        fills = ''.join(self.fill(leaf) for leaf in self.params.leaves)
        return '%s\n{\n    struct %s params;\n%s    return %s_encode(&params, message, bytes_max);\n}\n\n' % (
            head, self.params.name, fills, self.params.name)

    def read(self):
        """Decodes the results and gives them out."""
        results = self.results
        if results.is_empty:
            return ''
        head = wrap_call('static inline enum status %s_results_get' % self.name,
                         ['const void *message', 'uint32_t message_bytes'] +
                         self.result_arguments(), suffix='')
        body, source = [], 'message'
        if not results.is_flat:
            source = 'buffer'
            body.append('    if (message_bytes > buffer_bytes)\n'
                        '        return STATUS_NO_RESULT_SPACE;\n'
                        '    __builtin_memcpy(buffer, message, message_bytes);\n')
        body.append('    struct %s results;\n' % results.name + wrap_call(
            '    enum status status = %s_decode' % results.name,
            [source, 'message_bytes', '&results']) +
            '\n    if (status != STATUS_OK)\n        return status;\n')
        for leaf in self.result_leaves():
            if is_text_like(leaf.type):
                test = '>=' if leaf.type.kind == 'text' else '>'
                body.append('    if (results.%s.size_bytes %s %s_max)\n'
                            '        return STATUS_NO_RESULT_SPACE;\n'
                            % (leaf.path, test, self.result_name(leaf)))
        if not results.is_flat:
            body.append('    *out_results = results;\n')
        body += [self.give(leaf) for leaf in self.result_leaves()]
        return '%s\n{\n%s    return STATUS_OK;\n}\n\n' % (head, ''.join(body))

    def plain_finish(self):
        prefix, arguments = self.finish_head()
        body = ''
        if not self.results.is_empty:
            body = '    if (status == STATUS_OK)\n%s\n' % wrap_call(
                '        status = %s_results_get' % self.name,
                ['call->results', 'call->results_bytes'] + self.result_values())
        return ('%s\n{\n    enum status status = capos_call_wait(call);\n%s'
                '    return capos_call_end(call, status);\n}\n\n'
                % (wrap_call(prefix, arguments, suffix=''), body))

    def promised_argument(self):
        leaf = self.results.capabilities[0]
        return '%s *out_%s' % (cap_type(self.schema, leaf.type), '_'.join(leaf.names))

    def promise_body(self, values):
        leaf = self.results.capabilities[0]
        promised = 'capos_call_promised(call, 0)'
        if leaf.type.kind == 'interface':
            promised = '(%s){%s}' % (cap_type(self.schema, leaf.type), promised)
        return (wrap_call('    enum status status = %s_request' % self.name,
                          ['call', 'false', 'true', self.results_room(bounded=False), 'self']
                          + values) +
                '\n    if (status == STATUS_OK)\n        *out_%s = %s;\n    return status;\n'
                % ('_'.join(leaf.names), promised))

    def kind_values(self, synchronous):
        return [synchronous] + (['false'] if self.promises else [])

    def results_room(self, bounded):
        if not self.results.is_flat:
            bound = self.results.name.upper() + '_BYTES_MAX'
            return 'capos_room(buffer_bytes, %s)' % bound if bounded else bound
        parts = [str(self.results.bytes_min())]
        for leaf in self.results.leaves:
            if not is_text_like(leaf.type):
                continue
            bound = bound_name(self.results, leaf)
            if leaf.type.kind == 'text':
                bound += ' + 1'
            parts.append('capos_room(%s, %s)' % (self.result_name(leaf) + '_max', bound)
                         if bounded else 'capos_room(%s, %s)' % (bound, bound))
        return ' + '.join(parts)

    def request(self):
        params, results = self.params, self.results
        if not params.is_flat:
            return self.nested_request()
        caps = params.capabilities
        body = []
        tests, room = self.params_room()
        if tests:
            body.append('    if (%s)\n        return STATUS_BAD_MESSAGE;\n' % ' ||\n        '.join(tests))
            body.append('    uint32_t params_bytes_max = %s;\n' % room)
            room = 'params_bytes_max'
        begin = [room, str(len(caps)), 'results_bytes_max', str(len(results.capabilities))]
        body.append(wrap_call('    void *message = synchronous ? capos_call_begin_sync',
                              ['call'] + begin, suffix='') + '\n')
        body.append(wrap_call('                                : capos_call_begin',
                              ['call'] + begin) + '\n')
        body.append('    if (message == nullptr)\n        return STATUS_OVERLOADED;\n')
        if self.promises:
            body.append('    if (promised)\n        capos_call_promise(call);\n')
        if caps:
            body.append('    struct capos_transfer transfers[%d];\n'
                        '    uint32_t transfer_count = 0;\n' % len(caps))
        if params.is_empty:
            size = '0'
        else:
            size = 'message_bytes'
            body.append('    struct %s params;\n' % params.name)
            for leaf in params.leaves:
                body.append(self.fill(leaf))
            body.append('    uint32_t message_bytes = %s_encode(&params, message, %s);\n'
                        % (params.name, room))
            body.append('    if (message_bytes == 0)\n'
                        '        return capos_call_abandon(call, STATUS_BAD_MESSAGE);\n')
        submit = wrap_call('    enum status status = capos_call_submit', [
            'call', 'self.id', 'capos_linked_id(&capos_interface_%s)' % c_name(self.interface),
            self.names.constant,
            size] + (['transfers', 'transfer_count'] if caps else ['nullptr', '0']))
        body.append(submit + '\n')
        body.append('    return status == STATUS_OK ? status : capos_call_abandon(call, status);\n')
        return self.request_function(body)

    def request_function(self, body):
        return '%s\n{\n%s}\n\n' % (
            wrap_call('static inline enum status %s_request' % self.name,
                      ['struct capos_call *call', 'bool synchronous'] +
                      (['bool promised'] if self.promises else []) +
                      ['uint32_t results_bytes_max', self.self] + self.request_arguments(True),
                      suffix=''), ''.join(body))

    def nested_request(self):
        """The parameters as a message that the caller built."""
        caps = self.params.capabilities
        transfers = ['transfers', 'transfer_count'] if caps else ['nullptr', '0']
        count = ' || transfer_count > %d' % len(caps) if caps else ''
        begin = ['call', '(uint32_t)request_bytes', transfers[1], 'results_bytes_max',
                 str(len(self.results.capabilities))]
        return self.request_function([
            '    if (request_bytes > %s_BYTES_MAX || request_bytes %% 8 != 0%s)\n'
            '        return STATUS_BAD_MESSAGE;\n' % (self.params.name.upper(), count),
            wrap_call('    void *message = synchronous ? capos_call_begin_sync', begin,
                      suffix='') + '\n',
            wrap_call('                                : capos_call_begin', begin) + '\n',
            '    if (message == nullptr)\n        return STATUS_OVERLOADED;\n'
            '    __builtin_memcpy(message, request, request_bytes);\n',
            wrap_call('    enum status status = capos_call_submit', [
                'call', 'self.id', 'capos_linked_id(&capos_interface_%s)' % c_name(self.interface),
                self.names.constant, '(uint32_t)request_bytes'] + transfers) + '\n',
            '    return status == STATUS_OK ? status : capos_call_abandon(call, status);\n'])

    def fill(self, leaf):
        name, kind = argument_name(leaf), leaf.type.kind
        target = '    params.%s = ' % leaf.path
        if is_text_like(leaf.type):
            return target + '(struct wire_%s){%s, (uint32_t)%s_bytes};\n' % (kind, name, name)
        if is_capability(leaf.type):
            return target + 'capos_transfer_add(transfers, &transfer_count, %s);\n' % name
        return target + name + ';\n'

    def finish(self):
        prefix, arguments = self.finish_head()
        results = self.results
        if results.is_empty:
            body = '    return capos_call_end(call, capos_call_wait(call));\n'
            return '%s\n{\n%s}\n\n' % (wrap_call(prefix, arguments, suffix=''), body)
        body = ['    enum status status = capos_call_wait(call);\n'
                '    struct %s results;\n' % results.name]
        source = 'call->results'
        if not results.is_flat:
            source = 'buffer'
            body.append('    if (status == STATUS_OK && call->results_bytes > buffer_bytes)\n'
                        '        status = STATUS_NO_RESULT_SPACE;\n'
                        '    if (status == STATUS_OK)\n'
                        '        __builtin_memcpy(buffer, call->results, call->results_bytes);\n')
        body.append('    if (status == STATUS_OK)\n' + wrap_call(
            '        status = %s_decode' % results.name,
            [source, 'call->results_bytes', '&results']) + '\n')
        for leaf in self.result_leaves():
            name = self.result_name(leaf)
            if is_text_like(leaf.type):
                test = '>=' if leaf.type.kind == 'text' else '>'
                body.append('    if (status == STATUS_OK && results.%s.size_bytes %s %s_max)\n'
                            '        status = STATUS_NO_RESULT_SPACE;\n' % (leaf.path, test, name))
        for leaf in results.capabilities:
            body.append(self.take(leaf))
        body.append('    if (status != STATUS_OK)\n        return capos_call_end(call, status);\n')
        if not results.is_flat:
            body.append('    *out_results = results;\n')
        for leaf in self.result_leaves():
            body.append(self.give(leaf))
        body.append('    return capos_call_end(call, STATUS_OK);\n')
        return '%s\n{\n%s}\n\n' % (wrap_call(prefix, arguments, suffix=''), ''.join(body))

    def take(self, leaf):
        name = '_'.join(leaf.names)
        interface = 'INTERFACE_' + c_constant(self.schema.nodes[leaf.type.type_id]) \
            if leaf.type.kind == 'interface' else '0'
        take = wrap_call('        status = capos_call_take',
                         ['call', 'results.%s' % leaf.path, interface, '&%s_id' % name])
        present = ' && results.%s != WIRE_CAP_NULL' % leaf.path if leaf.is_optional else ''
        return ('    capos_cap_id %s_id = 0;\n'
                '    if (status == STATUS_OK && out_%s != nullptr%s)\n%s\n'
                % (name, name, present, take))

    def give(self, leaf):
        name, path = self.result_name(leaf), leaf.path
        if is_text_like(leaf.type):
            size, extra = 'results.%s.size_bytes' % path, ''
            source = 'results.%s.%s' % (path, leaf.type.kind)
            lines = ''
            if leaf.type.kind == 'text':
                lines = '    __builtin_memcpy(%s, %s, %s + 1);\n' % (name, source, size)
            else:
                lines = ('    if (%s != 0)\n        __builtin_memcpy(%s, %s, %s);\n'
                         % (size, name, source, size))
            return lines + '    if (out_%s_bytes != nullptr)\n        *out_%s_bytes = %s;\n' % (
                name, name, size)
        name = '_'.join(leaf.names)
        if is_capability(leaf.type):
            value = '%s_id' % name if leaf.type.kind == 'capability' else \
                '(%s){%s_id}' % (cap_type(self.schema, leaf.type), name)
        else:
            value = 'results.%s' % path
        return '    if (out_%s != nullptr)\n        *out_%s = %s;\n' % (name, name, value)

    def definitions(self):
        out = ([self.write(), self.read(), self.plain_finish()] if self.plain
               else [self.request(), self.finish()])
        for prefix, arguments, body in self.functions():
            out.append('%s\n{\n%s}\n\n' % (wrap_call(prefix, arguments, suffix=''), body))
        return ''.join(out)


class Server:
    """The server glue of one interface."""

    def __init__(self, schema, interface):
        self.schema, self.interface = schema, interface
        self.name = c_name(interface)
        self.methods = methods_of(schema, interface)

    def op_arguments(self, names):
        out = ['void *context', 'struct capos_server_call *call']
        return out if names.params.is_empty else out + ['const struct %s *params' % names.params.name]

    def reply_head(self, names):
        arguments = ['struct capos_server_call *call']
        if not names.results.is_flat:
            arguments.append('const struct wire_builder *results')
        elif not names.results.is_empty:
            arguments.append('const struct %s *results' % names.results.name)
        if names.results.capabilities:
            arguments += ['const struct capos_transfer *transfers', 'uint32_t transfer_count']
        return 'void %s_reply' % names.name, arguments

    @staticmethod
    def reply_begin_head(names):
        return ('struct %s_builder %s_reply_begin' % (names.results.name, names.name),
                ['struct capos_server_call *call', 'struct wire_builder *results',
                 'uint32_t bytes_max'])

    def declarations(self):
        out = ['''// A server of %s: one function per method.  A function answers now or later, with
// the method's reply function or capos_server_fail; each consumes the call.  `params` is
// lent for the function, what its Text and Data point at until the answer.  A method
// without a function is `unimplemented`.
struct %s_server_ops {
''' % (self.interface.path, self.name)]
        for names in self.methods:
            out.append(comment(names.method.doc, '    '))
            out.append(wrap_call('    void (*%s)' % snake(names.method.name),
                                 self.op_arguments(names)) + '\n')
        out.append('};\n\n// Decodes a received call and passes it on; answers it if it is malformed.\n')
        out.append(wrap_call('void %s_serve' % self.name, self.serve_arguments()) + '\n\n')
        for names in self.methods:
            if not names.results.is_flat:
                out.append('// Starts the results in the call\'s buffer, up to `bytes_max` bytes; the reply '
                           'sends them.\n// Without memory, or if they don\'t fit, the reply fails the '
                           'call.\n')
                out.append(wrap_call('[[nodiscard]] ' + self.reply_begin_head(names)[0],
                                     self.reply_begin_head(names)[1]) + '\n')
            if names.results.capabilities:
                out.append('// The capability fields of the results are indices into `transfers`.\n')
            out.append(wrap_call(*self.reply_head(names)) + '\n')
        return ''.join(out) + '\n'

    def serve_arguments(self):
        return ['const struct %s_server_ops *ops' % self.name, 'void *context',
                'struct capos_server_call *call']

    def serve_one(self, names):
        params, op = names.params, snake(names.method.name)
        body = ['    if (ops->%s == nullptr) {\n'
                '        capos_server_fail(call, STATUS_UNIMPLEMENTED, no_such_method);\n'
                '        return;\n    }\n' % op]
        if params.is_empty:
            body.append('    enum status status = wire_read_empty(call->params, '
                        'call->params_bytes);\n')
        else:
            body.append('    struct %s params;\n    enum status status =\n%s\n' % (
                params.name, wrap_call('        %s_decode' % params.name,
                                       ['call->params', 'call->params_bytes', '&params'])))
        for leaf in params.capabilities:
            interface = 'INTERFACE_' + c_constant(self.schema.nodes[leaf.type.type_id]) \
                if leaf.type.kind == 'interface' else '0'
            present = ' && params.%s != WIRE_CAP_NULL' % leaf.path if leaf.is_optional else ''
            body.append('    if (status == STATUS_OK%s)\n%s\n' % (present, wrap_call(
                '        status = capos_server_check', ['call', 'params.%s' % leaf.path, interface])))
        body.append('    if (status != STATUS_OK) {\n'
                    '        capos_server_fail(call, STATUS_INVALID_ARGUMENT, bad_params);\n'
                    '        return;\n    }\n')
        body.append('    ops->%s(context, call%s);\n' % (op, '' if params.is_empty else ', &params'))
        return '%s\n{\n%s}\n\n' % (wrap_call('static void serve_%s' % names.name,
                                             self.serve_arguments(), suffix=''), ''.join(body))

    def reply(self, names):
        prefix, arguments = self.reply_head(names)
        results = names.results
        if results.is_empty:
            body = '    capos_server_reply(call, 0, nullptr, 0);\n'
            return '%s\n{\n%s}\n\n' % (wrap_call(prefix, arguments, suffix=''), body)
        if not results.is_flat:
            return self.nested_reply(names)
        room = [str(results.bytes_min())]
        for leaf in results.leaves:
            if is_text_like(leaf.type):
                extra = ' + 1' if leaf.type.kind == 'text' else ''
                room.append('capos_room(results->%s.size_bytes%s, %s%s)'
                            % (leaf.path, extra, bound_name(results, leaf), extra))
        transfers = 'transfers, transfer_count' if results.capabilities else 'nullptr, 0'
        body = '''    uint32_t room_bytes = %(room)s;
    void *message = capos_server_reply_buffer(call, room_bytes);
    if (message == nullptr) {
        capos_server_fail(call, STATUS_OVERLOADED, "no memory for the results");
        return;
    }
    uint32_t message_bytes = %(results)s_encode(results, message, room_bytes);
    if (message_bytes == 0)
        capos_server_fail(call, STATUS_FAILED, "the results exceed a bound");
    else
        capos_server_reply(call, message_bytes, %(transfers)s);
''' % {'room': ' + '.join(room), 'results': results.name, 'transfers': transfers}
        return '%s\n{\n%s}\n\n' % (wrap_call(prefix, arguments, suffix=''), body)

    def nested_reply(self, names):
        name = names.results.name
        transfers = 'transfers, transfer_count' if names.results.capabilities else 'nullptr, 0'
        return '''%(begin)s
{
    uint32_t room_bytes = bytes_max < %(max)s_BYTES_MAX ? bytes_max & ~7u : %(max)s_BYTES_MAX;
    void *message = capos_server_reply_buffer(call, room_bytes);
    wire_builder_init(results, message, message == nullptr ? 0 : room_bytes);
    return %(name)s_root(results);
}

%(head)s
{
    uint32_t message_bytes = wire_builder_finish(results);
    if (message_bytes == 0)
        capos_server_fail(call, STATUS_OVERLOADED, "the results have no room");
    else
        capos_server_reply(call, message_bytes, %(transfers)s);
}

''' % {'begin': wrap_call(*self.reply_begin_head(names), suffix=''), 'name': name,
       'max': name.upper(), 'head': wrap_call(*self.reply_head(names), suffix=''),
       'transfers': transfers}

    def definitions(self):
        out = [self.serve_one(names) + self.reply(names) for names in self.methods]
        cases = ''.join('    case %s:\n        serve_%s(ops, context, call);\n        break;\n'
                        % (names.constant, names.name) for names in self.methods)
        out.append('''%s
{
    if (call->interface_id != INTERFACE_%s) {
        capos_server_fail(call, STATUS_UNIMPLEMENTED, no_such_method);
        return;
    }
    switch (call->method) {
%s    default:
        capos_server_fail(call, STATUS_UNIMPLEMENTED, no_such_method);
        break;
    }
}

''' % (wrap_call('void %s_serve' % self.name, self.serve_arguments(), suffix=''),
       c_constant(self.interface), cases))
        return ''.join(out)


def interfaces_of(schema, file):
    return schema.of_file(file, 'interface')


def caps_header(schema):
    out = [HEAD % 'schema/*.capnp', '''// Handles: a capability of a known interface.  A handle is a plain value; the program
// decides who owns the capability behind it.  X_cap_release gives an owned one up and
// forgets it; X_cap_find borrows one from the CapSet.
#pragma once

#include <capos/call.h>
#include <capos/capset.h>
#include <gen/interfaces.h>

''']
    for file in schema.files:
        for node in interfaces_of(schema, file):
            out.append('''extern const uint64_t capos_interface_%(name)s;
typedef struct {
    capos_cap_id id;
} %(name)s_cap;
static inline void %(name)s_cap_release(%(name)s_cap *cap)
{
    capos_release(cap->id);
    cap->id = 0;
}
%(find)s
{
    return capos_find(name, capos_linked_id(&capos_interface_%(name)s), &out_cap->id);
}

''' % {'name': c_name(node), 'constant': c_constant(node), 'find': wrap_call(
                '[[nodiscard]] static inline enum status %s_cap_find' % c_name(node),
                ['const char *name', '%s_cap *out_cap' % c_name(node)], suffix='')})
    return {'capos/caps.h': ''.join(out).rstrip() + '\n', 'capos/caps.c': ids_source(schema)}


def ids_source(schema):
    out = [HEAD % 'schema/*.capnp', '''// The ids that clients call with, each in a section of its own: the linker keeps those of the
// clients that a program uses, and `capos inspect` reads them.
#include <gen/capos/caps.h>

''']
    for file in schema.files:
        for node in interfaces_of(schema, file):
            out.append('[[gnu::section(".capos.interface.%s")]] const uint64_t\n'
                       '    capos_interface_%s = INTERFACE_%s;\n'
                       % (node.name, c_name(node), c_constant(node)))
    return ''.join(out)


def capos_files(schema, file):
    interfaces = interfaces_of(schema, file)
    if not interfaces:
        return {}
    name = stem(file)
    head = HEAD % ('schema/%s.capnp' % name)
    header = [head, '''// Clients of the interfaces, and server glue where a process implements them.
//
// Parameters are flattened in the schema's order; results come by out-pointers, which are
// written only on success and may be null pointers.  A capability parameter is lent: the
// callee gets a copy.  X_transfer takes it as a struct capos_transfer, to move or narrow
// it.  A result capability belongs to the caller; one that isn't asked for is released.
// An optional one that is null has the id 0, as a parameter and as a result.
// Text is copied with its NUL, so a buffer holds one byte more than the text.
//
// Parameters with lists, structs or unions are passed as a message that the caller built
// (X_params_root).  Such results are copied into a buffer of the caller's, 8-byte aligned;
// the struct points into it.
//
// X_begin submits and X_finish waits for that call and ends it; between them any number of
// calls may be in flight and complete in any order.  X_promise is X_begin that also gives the
// handle of what the call will return, on which others can be begun at once (<capos/call.h>).
//
// Errors: those of the ring and the method (gen/status.h); STATUS_OVERLOADED if there is no
// memory or no room in the queues; STATUS_BAD_MESSAGE if an argument exceeds its bound or
// the results are malformed; STATUS_NO_RESULT_SPACE if a buffer is too small.
#pragma once

#include <capos/call.h>
#include <gen/capos/caps.h>
#include <gen/interfaces.h>
#include <gen/wire/%s.h>
#include <stddef.h>
#include <stdint.h>

''' % name]
    source = [head, '#include <gen/capos/%s.h>\n\n' % name]
    clients = []
    for interface in interfaces:
        for names in methods_of(schema, interface):
            client = Client(schema, interface, names)
            header.append(client.declarations())
            clients.append(client.definitions())
    servers = [Server(schema, node) for node in interfaces if not is_kernel_homed(node)]
    header += [server.declarations() for server in servers]
    clients += [server.definitions() for server in servers]
    if any('capos_room(' in text for text in clients):
        source.append('''// The words of a Text or Data, in bytes: its size, but no more than its bound.
static inline uint32_t capos_room(size_t size_bytes, uint32_t bytes_max)
{
    return ((size_bytes < bytes_max ? (uint32_t)size_bytes : bytes_max) + 7) & ~7u;
}

''')
    if servers:
        source.append('static const char no_such_method[] = "the interface has no such method";\n'
                      'static const char bad_params[] =\n'
                      '    "the parameters are malformed or exceed a bound";\n\n')
    return {'capos/%s.h' % name: ''.join(header).rstrip() + '\n',
            'capos/%s.c' % name: ''.join(source + clients).rstrip() + '\n'}
