# SPDX-License-Identifier: MIT
"""gen/test/negative.{h,c}: for each method of each interface the hostile messages, as
changes to a valid one, and what must come of them.  tests/iface/negative_test.c runs them
on a booted system.

Every message here must be refused before the method's implementation sees it.  A kernel
object answers with the transport error; a service can only raise exceptions, so a message
that its generated glue refuses is `invalidArgument`.
"""

from codegen import HEAD, c_constant, c_name, is_kernel_homed, is_text_like, stem
from gen_kernel import methods_of, params_room
from model import snake
from sample import Sample, c_words

NO_WORD = 0xffff
FAR, CAPABILITY, RESERVED = 2, 3, 7
LIST_OF_NOTHING = 1

HEADER = HEAD % 'schema/*.capnp' + '''// Hostile messages for every method.  See tests/iface/negative_test.c.
#pragma once

#include <gen/interfaces.h>
#include <gen/status.h>
#include <stdint.h>

struct capos_server_call;

constexpr uint16_t NEGATIVE_NO_WORD = 0xffff;
constexpr uint32_t NEGATIVE_PARAMS_BYTES_MAX = %(room)d;

// One change to the valid message, then a call with `params_bytes` of it; bytes behind the
// valid message are zero.
struct negative_case {
    const char *name;
    uint64_t value;        // of word `word`
    uint32_t params_bytes;
    uint32_t expected;     // bit STATUS_X: the status is right
    uint16_t word;         // or NEGATIVE_NO_WORD
    bool transfers;        // a capability of another interface for each capability field
};

struct negative_method {
    const char *name;
    const uint64_t *valid; // the message
    const struct negative_case *cases;
    uint32_t valid_bytes;
    uint32_t results_bytes_max;
    uint16_t case_count;
    uint16_t capability_count; // of the params
    uint16_t result_capability_count;
    bool typed_capabilities; // a capability of any other interface is refused
};

struct negative_interface {
    uint64_t id;
    const char *name;
    const struct negative_method *methods;
    uint16_t method_count;
    bool kernel_homed;
    // Service-homed: the generated server glue over functions that fail with STATUS_FAILED,
    // so that a message which reaches one is seen.
    void (*serve)(struct capos_server_call *call);
};

extern const struct negative_interface negative_interfaces[INTERFACE_COUNT];
'''


class Cases:
    """The cases of one method."""

    def __init__(self, schema, interface, names):
        self.names, self.kernel = names, is_kernel_homed(interface)
        self.sample = None if names.params.is_empty else Sample(schema, names.params)
        self.words = self.sample.words if self.sample else []
        self.out = []
        self.lengths()
        self.roots()
        for leaf in names.params.leaves:
            if leaf.path not in self.sample.places: # in another half of a union
                continue
            if leaf.type.kind == 'enum':
                self.enum(schema, leaf)
            elif is_text_like(leaf.type):
                self.bytes(leaf)
            elif leaf.type.kind == 'list':
                self.list(leaf)
            elif leaf.type.kind == 'struct':
                self.struct(leaf)
        for leaf in names.params.capabilities:
            self.capability(leaf)
        if names.params.capabilities and all(
                leaf.type.kind == 'interface' for leaf in names.params.capabilities):
            self.add('capabilities of another interface', expected=['WRONG_INTERFACE'],
                     transfers=True)

    @property
    def size(self):
        return 8 * len(self.words)

    def add(self, name, word=NO_WORD, value=0, size=None, expected=('BAD_MESSAGE',),
            transfers=False):
        if not self.kernel and size != 65544 and (size is None or size % 8 == 0):
            expected = ['INVALID_ARGUMENT']
        mask = ' | '.join('1u << STATUS_' + status for status in expected)
        self.out.append('    {"%s", 0x%x, %d, %s, %s, %s},\n' % (
            name, value, self.size if size is None else size, mask,
            'NEGATIVE_NO_WORD' if word == NO_WORD else word, 'true' if transfers else 'false'))

    def lengths(self):
        # An endpoint refuses a length that isn't whole words before any server sees it.
        cut = ['BAD_MESSAGE'] if self.kernel else ['BAD_LENGTH']
        if self.words:
            self.add('no message', size=0)
            for count in range(1, len(self.words)):
                self.add('cut to %d of %d words' % (count, len(self.words)), size=8 * count)
            self.add('cut within the last word', size=self.size - 4, expected=cut)
        else:
            self.add('half a word', size=4, expected=cut)
        if self.kernel:
            self.add('longer than the longest', size=params_room(self.names) // 8 * 8 + 8)
        else:
            self.add('longer than a message can be', size=65544, expected=['BAD_LENGTH'])

    def roots(self):
        size = max(self.size, 8)
        root = self.words[0] if self.words else 0
        self.add('a root behind the end', 0, root | max(len(self.words), 1) << 2, size)
        self.add('a root before the start', 0, root | 0xfffffff8, size)
        self.add('a root far before the start', 0, root | 0x80000000, size)
        self.add('a root larger than the message', 0, 0xffffffff00000000, size)
        self.add('a list as the root', 0, LIST_OF_NOTHING, size)
        self.add('a far pointer as the root', 0, FAR, size)
        self.add('a capability as the root', 0, CAPABILITY, size)
        self.add('a reserved pointer as the root', 0, RESERVED, size)

    def enum(self, schema, leaf):
        place = self.sample.places[leaf.path]
        shift = leaf.field.offset * 16 % 64
        rest = self.words[place] & ~(0xffff << shift)
        count = len(schema.nodes[leaf.type.type_id].enumerants)
        for value in (count, 0xffff):
            self.add('%s is %d' % (leaf.field.name, value), place, rest | value << shift)

    def bytes(self, leaf):
        name, place = leaf.field.name, self.sample.places[leaf.path]
        pointer = self.words[place]
        offset, count = (pointer & 0xffffffff) >> 2, pointer >> 35
        point = lambda at, size, n: (at & 0x3fffffff) << 2 | 1 | size << 32 | n << 35
        for what, value in (
                ('behind the end', point(len(self.words), 2, count)),
                ('before the start', point(-place - 2, 2, count)),
                ('all the bytes there are', point(offset, 2, (1 << 29) - 1)),
                ('eight-byte elements', point(offset, 5, count)),
                ('two-byte elements', point(offset, 3, 2)),
                ('bits', point(offset, 1, count)),
                ('a list of pointers', point(offset, 6, 1)),
                ('a list of structs', point(offset, 7, 1)),
                ('a struct', 0x100000000),
                ('a far pointer', FAR),
                ('a capability', CAPABILITY)):
            self.add('%s is %s' % (name, what), place, value)
        if leaf.type.kind == 'text':
            self.add('%s lacks its NUL' % name, place, point(offset, 2, count - 1))
            self.add('%s is no byte, not even a NUL' % name, place, point(offset, 2, 0))
        over = leaf.bound + 1 + (leaf.type.kind == 'text')
        end = 8 * (place + 1 + offset) + (over + 7) // 8 * 8
        self.add('%s is one byte longer than its bound' % name, place, point(offset, 2, over),
                 max(end, self.size))

    def list(self, leaf):
        name, place = leaf.field.name, self.sample.places[leaf.path]
        pointer = self.words[place]
        size, count = pointer >> 32 & 7, pointer >> 35
        words = pointer & 0xfffffffc
        for what, value in (
                ('behind the end', len(self.words) << 2 | 1 | size << 32 | count << 35),
                ('before the start', (-place - 2 & 0x3fffffff) << 2 | 1 | size << 32 | count << 35),
                ('longer than the message', words | 1 | size << 32 | (1 << 29) - 1 << 35),
                ('bits', words | 1 | 1 << 32 | count << 35),
                ('a struct', 0x100000000),
                ('a far pointer', FAR),
                ('a capability', CAPABILITY)):
            self.add('%s is %s' % (name, what), place, value)
        if size == 7:                # a tag word counts the structs
            tag = place + 1 + (words >> 2)
            self.add('%s counts more structs than it has words' % name, tag,
                     self.words[tag] & ~0xffffffff | (1 << 29) << 2)
            self.add('%s has a tag that is no struct' % name, tag, self.words[tag] | 1)
            over = (leaf.bound + 1) << 2
            self.add('%s has an empty struct more than its bound' % name, tag, over)

    def struct(self, leaf):
        name, place = leaf.field.name, self.sample.places[leaf.path]
        self.add('%s lies behind the end' % name, place,
                 self.words[place] & ~0xffffffff | len(self.words) << 2)
        self.add('%s is a list' % name, place, LIST_OF_NOTHING)
        self.add('%s is a far pointer' % name, place, FAR)

    def capability(self, leaf):
        name, place = leaf.field.name, self.sample.places[leaf.path]
        absent = ['BAD_TRANSFER']
        self.add('%s names a capability that is not there' % name, place, 7 << 32 | 3,
                 expected=absent)
        self.add('%s names the last capability there could be' % name, place,
                 0xfffffffe << 32 | 3, expected=absent)
        if not leaf.is_optional:
            self.add('%s is null' % name, place, 0, expected=absent)
        self.add('%s has reserved bits' % name, place, 4 | 3)
        self.add('%s is a struct' % name, place, 0x100000000)
        self.add('%s is a far pointer' % name, place, FAR)


def method_source(schema, interface, names):
    cases = Cases(schema, interface, names)
    out = []
    if cases.words:
        out.append('static const uint64_t valid_%s[] = {%s};\n'
                   % (names.name, c_words(cases.words)))
    out.append('static const struct negative_case cases_%s[] = {\n%s};\n\n'
               % (names.name, ''.join(cases.out)))
    return ''.join(out)


def has_typed_capabilities(names):
    return any(leaf.type.kind == 'interface' for leaf in names.params.capabilities)


def method_entry(names):
    valid = 'nullptr' if names.params.is_empty else 'valid_' + names.name
    size = '0' if names.params.is_empty else 'sizeof ' + valid
    return ('    {"%s", %s, cases_%s, %s, %d, sizeof cases_%s / sizeof(struct negative_case), '
            '%d, %d, %s},\n' % (names.method.name, valid, names.name, size,
                                names.results.bytes_max(), names.name,
                                len(names.params.capabilities),
                                len(names.results.capabilities),
                                'true' if has_typed_capabilities(names) else 'false'))


def server_source(interface, all_names):
    """Functions of a server that is never to be reached."""
    out = []
    for names in all_names:
        params = '' if names.params.is_empty else ', const struct %s_params *' % names.name
        out.append('static void reached_%s(void *, struct capos_server_call *call%s)\n{\n'
                   '    capos_server_fail(call, STATUS_FAILED, reached);\n}\n\n'
                   % (names.name, params))
    out.append('static const struct %s_server_ops %s_ops = {\n%s};\n\n' % (
        c_name(interface), c_name(interface), ''.join(
            '    .%s = reached_%s,\n' % (snake(names.method.name), names.name)
            for names in all_names)))
    out.append('static void serve_%s(struct capos_server_call *call)\n{\n'
               '    %s_serve(&%s_ops, nullptr, call);\n}\n\n' % ((c_name(interface),) * 3))
    return ''.join(out)


def negative_files(schema):
    files = [file for file in schema.files if schema.of_file(file, 'interface')]
    out = [HEAD % 'schema/*.capnp', '#include <gen/test/negative.h>\n\n']
    out += ['#include <gen/capos/%s.h>\n' % stem(file) for file in files
            if any(not is_kernel_homed(node) for node in schema.of_file(file, 'interface'))]
    out.append('\nstatic const char reached[] = "the message reached the implementation";\n\n')
    entries, room = [], 65544
    for file in files:
        for interface in schema.of_file(file, 'interface'):
            methods = methods_of(schema, interface)
            for names in methods:
                out.append(method_source(schema, interface, names))
            out.append('static const struct negative_method methods_%s[] = {\n%s};\n\n' % (
                c_name(interface), ''.join(method_entry(names) for names in methods)))
            kernel = is_kernel_homed(interface)
            if not kernel:
                out.append(server_source(interface, methods))
            entries.append('    {INTERFACE_%s, "%s", methods_%s, %d, %s, %s},\n' % (
                c_constant(interface), interface.path, c_name(interface), len(methods),
                'true' if kernel else 'false',
                'nullptr' if kernel else 'serve_' + c_name(interface)))
    out.append('const struct negative_interface negative_interfaces[INTERFACE_COUNT] = {\n%s};\n'
               % ''.join(entries))
    return {'test/negative.h': HEADER % {'room': room}, 'test/negative.c': ''.join(out)}
