# SPDX-License-Identifier: MIT
"""gen/status.h, gen/interfaces.h and the codecs of gen/wire.

The shape of a decoder: compare the first word with the root pointer that our encoders
write; if it is that, load the fields from fixed places.  Any other legal message goes
through wire_read_root and a copy of the data section in the size that the schema knows,
so that the same loads serve both.
"""

from codegen import (HEAD, SCALAR_BITS, SCALAR_C, Layout, c_constant, c_field, c_name, comment,
                     default_bits, enum_name, is_capability, is_kernel_homed, offset_bits, stem,
                     wrap_call)
from model import NO_DISCRIMINANT, snake


# ---- Enums -------------------------------------------------------------------------

def enum_declaration(node, underlying=''):
    lines = [comment(node.doc)] if node.doc else []
    lines.append('enum %s%s {\n' % (c_name(node), underlying))
    for enumerant in node.enumerants:
        lines.append(comment(enumerant.doc, '    '))
        lines.append('    %s_%s,\n' % (c_constant(node), snake(enumerant.name).upper()))
    lines.append('};\n')
    lines.append('constexpr uint32_t %s_COUNT = %d;\n' % (c_constant(node), len(node.enumerants)))
    lines.append('// The name in the schema; "?" for a value that has none.\n')
    lines.append('[[nodiscard]] const char *%s_name(enum %s value);\n\n'
                 % (c_name(node), c_name(node)))
    return ''.join(lines)


def enum_definition(node):
    return ('const char *%(name)s_name(enum %(name)s value)\n{\n'
            '    static const char *const names[] = {\n%(names)s    };\n'
            '    return (uint32_t)value < %(constant)s_COUNT ? names[value] : "?";\n}\n\n'
            % {'name': c_name(node), 'constant': c_constant(node),
               'names': ''.join('        "%s",\n' % e.name for e in node.enumerants)})


def status_files(schema):
    (node,) = [node for node in schema.nodes.values()
               if node.kind == 'enum' and node.path == 'Status']
    head = HEAD % 'schema/errors.capnp'
    header = (head + '#pragma once\n\n#include <stdint.h>\n\n' + comment(node.file.doc)
              + enum_declaration(node, ' : int32_t'))
    source = head + '#include <gen/status.h>\n\n' + enum_definition(node)
    return {'status.h': header, 'status.c': source}


# ---- Interfaces --------------------------------------------------------------------

def interface_files(schema):
    head = HEAD % 'schema/*.capnp'
    interfaces = [node for file in schema.files for node in schema.of_file(file, 'interface')]
    header = [head, '// Type ids of the interfaces and ordinals of their methods.\n'
              '#pragma once\n\n#include <stdint.h>\n\n']
    for node in interfaces:
        header.append('constexpr uint64_t INTERFACE_%s = UINT64_C(0x%016x);\n'
                      % (c_constant(node), node.id))
        for method in node.methods:
            header.append('constexpr uint16_t %s_METHOD_%s = %d;\n'
                          % (c_constant(node), snake(method.name).upper(), method.ordinal))
        header.append('constexpr uint16_t %s_METHODS = %d;\n\n'
                      % (c_constant(node), len(node.methods)))
    header.append('''struct interface_info {
    uint64_t id;
    const char *name;
    bool kernel_homed; // only the kernel speaks for it
    uint16_t method_count;
    const char *const *method_names;
};

constexpr uint32_t INTERFACE_COUNT = %d;
// All interfaces, in the order of their ids.
extern const struct interface_info interface_table[INTERFACE_COUNT];

// What is known of an interface; nullptr if nothing is.
[[nodiscard]] const struct interface_info *interface_lookup(uint64_t id);

// The name in the schema; "?" for an id that isn't in it.
[[nodiscard]] const char *interface_name(uint64_t id);
[[nodiscard]] const char *interface_method_name(uint64_t id, uint16_t method);
''' % len(interfaces))
    source = [head, '#include <gen/interfaces.h>\n\n']
    for node in interfaces:
        source.append('static const char *const %s_methods[] = {%s};\n'
                      % (c_name(node), ', '.join('"%s"' % m.name for m in node.methods)))
    source.append('\nconst struct interface_info interface_table[INTERFACE_COUNT] = {\n')
    for node in sorted(interfaces, key=lambda node: node.id):
        source.append('    {INTERFACE_%s, "%s", %s, %d, %s_methods},\n'
                      % (c_constant(node), node.path,
                         'true' if is_kernel_homed(node) else 'false', len(node.methods),
                         c_name(node)))
    source.append('''};

const struct interface_info *interface_lookup(uint64_t id)
{
    uint32_t first = 0, end = INTERFACE_COUNT;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (interface_table[middle].id == id)
            return &interface_table[middle];
        if (interface_table[middle].id < id)
            first = middle + 1;
        else
            end = middle;
    }
    return nullptr;
}

const char *interface_name(uint64_t id)
{
    const struct interface_info *info = interface_lookup(id);
    return info == nullptr ? "?" : info->name;
}

const char *interface_method_name(uint64_t id, uint16_t method)
{
    const struct interface_info *info = interface_lookup(id);
    return info == nullptr || method >= info->method_count ? "?" : info->method_names[method];
}
''')
    return {'interfaces.h': ''.join(header), 'interfaces.c': ''.join(source)}


# ---- Structs: declarations ---------------------------------------------------------

def leaf_c_type(schema, type):
    kind = type.kind
    if kind in SCALAR_C:
        return SCALAR_C[kind] + ' '
    if kind == 'enum':
        return 'enum %s ' % enum_name(schema, type)
    if kind == 'struct':
        return 'struct %s ' % c_name(schema.nodes[type.type_id])
    if is_capability(type):
        return 'uint32_t '
    return {'text': 'struct wire_text ', 'data': 'struct wire_data ',
            'list': 'struct wire_list '}[kind]


def members(schema, layout, node, names, indent):
    """The member declarations of a struct or group."""
    lines = []
    if node.union_count:
        enum = '_'.join([layout.name] + names + ['which'])
        lines.append('%s// Which of the union is there; the others are zero.\n' % indent)
        lines.append('%senum %s which;\n' % (indent, enum))
    for member in node.fields:
        name = c_field(member.name)
        if member.type is None:
            lines.append(comment(member.doc, indent))
            lines.append('%sstruct {\n' % indent)
            lines.append(members(schema, layout, schema.nodes[member.group_id], names + [name],
                                 indent + '    '))
            lines.append('%s} %s;\n' % (indent, name))
        elif member.type.kind != 'void':
            lines.append(comment(member.doc, indent))
            lines.append('%s%s%s;%s\n' % (indent, leaf_c_type(schema, member.type), name,
                                          member_note(member)))
    return ''.join(lines)


def member_note(member):
    if member.type.kind == 'list':
        element = member.type.element
        return ' // of %s' % element.kind
    if is_capability(member.type):
        return ' // index in the message\'s capability list, or WIRE_CAP_NULL'
    return ''


def which_enums(layout):
    out = []
    for path, enum, node, _ in layout.unions:
        prefix = enum.removesuffix('_which').upper()
        union = sorted((m for m in node.fields if m.discriminant != NO_DISCRIMINANT),
                       key=lambda m: m.discriminant)
        out.append('enum %s {\n%s};\n' % (enum, ''.join(
            '    %s_%s = %d,\n' % (prefix, c_field(m.name).upper(), m.discriminant)
            for m in union)))
    return ''.join(out)


def bounds(layout):
    out = []
    for leaf in layout.leaves:
        base = '%s_%s' % (layout.name.upper(), '_'.join(leaf.names).upper())
        if leaf.type.kind == 'list' and leaf.bound is not None:
            out.append('constexpr uint32_t %s_COUNT_MAX = %d;\n' % (base, leaf.bound))
        bytes_max = leaf.field.annotations.get('maxBytes')
        if bytes_max is not None:
            out.append('constexpr uint32_t %s_BYTES_MAX = %d;\n' % (base, bytes_max))
    if layout.bytes_max() is not None:
        out.append('// Encoded, with every field at its bound.\n')
        out.append('constexpr uint32_t %s_BYTES_MAX = %d;\n'
                   % (layout.name.upper(), layout.bytes_max()))
    return ''.join(out)


def out_name(layout):
    for word in ('params', 'results'):
        if layout.name.endswith('_' + word):
            return word
    return 'value'


def is_part(schema, node):
    """Whether the struct is an element or a field of another one."""
    return node.id in schema.part_ids


def struct_declaration(schema, layout):
    name, word = layout.name, out_name(layout)
    parts = [which_enums(layout)]
    if layout.node.doc:
        parts.append(comment(layout.node.doc))
    parts.append('struct %s {\n%s};\n' % (name, members(schema, layout, layout.node, [], '    ')))
    parts.append(bounds(layout))
    parts.append(wrap_call(
        '[[nodiscard]] enum status %s_decode' % name,
        ['const void *message', 'uint32_t size_bytes', 'struct %s *out_%s' % (name, word)]) + '\n')
    if layout.is_flat:
        parts.append(wrap_call(
            '[[nodiscard]] uint32_t %s_encode' % name,
            ['const struct %s *%s' % (name, word), 'void *buffer', 'uint32_t buffer_bytes'])
            + '\n')
    if is_part(schema, layout.node):
        parts.append('// An element of a list.  STATUS_INVALID_ARGUMENT: no such element.\n')
        parts.append(wrap_call(
            '[[nodiscard]] enum status %s_at' % name,
            ['const struct wire_list *list', 'uint32_t index', 'struct %s *out_%s' % (name, word)])
            + '\n')
        parts.append('// For generated code.\n')
        parts.append(wrap_call(
            '[[nodiscard]] enum status %s_read' % name,
            ['const struct wire_struct *from', 'struct %s *out_%s' % (name, word)]) + '\n')
        parts.append(wrap_call(
            '[[nodiscard]] enum status %s_check_list' % name,
            ['const struct wire_list *list', 'uint32_t *budget_words']) + '\n')
    return ''.join(parts) + '\n'


# ---- Structs: builders -------------------------------------------------------------

def needs_builder(schema, layout):
    return not layout.is_flat or is_part(schema, layout.node)


def select_guards(leaf_guards):
    return ''.join('    wire_build_number(builder.at, %d, 16, %s);\n'
                   % (guard.offset_bits, guard.constant) for guard in leaf_guards)


def builder_handles(layout):
    return ('struct %(name)s_builder {\n    struct wire_struct_builder at;\n};\n'
            'struct %(name)s_list_builder {\n    struct wire_struct_list_builder at;\n};\n'
            % {'name': layout.name})


def builder_functions(schema, layout):
    name = layout.name
    out = [function('struct %s_builder %s_root' % (name, name), ['struct wire_builder *builder'],
                    '    return (struct %s_builder){wire_build_root(builder, %d, %d)};\n'
                    % (name, layout.data_words, layout.pointer_count))]
    if is_part(schema, layout.node):
        out.append(function(
            'struct %s_builder %s_element' % (name, name),
            ['struct %s_list_builder list' % name, 'uint32_t index'],
            '    return (struct %s_builder){wire_build_element(list.at, index)};\n' % name))
    for path, enum, node, guards in layout.unions:
        names = path.split('.')[:-1]
        for member in node.fields:
            if member.discriminant == NO_DISCRIMINANT:
                continue
            constant = '%s_%s' % (enum.removesuffix('_which').upper(),
                                  c_field(member.name).upper())
            out.append(function(
                'void %s_select_%s' % (name, '_'.join(names + [c_field(member.name)])),
                ['struct %s_builder builder' % name],
                select_guards(guards) + '    wire_build_number(builder.at, %d, 16, %s);\n'
                % (node.union_offset * 16, constant)))
    for leaf in layout.leaves:
        out.append(setter(schema, layout, leaf))
    return ''.join(out)


def function(prefix, arguments, body):
    return '%s\n{\n%s}\n' % (wrap_call('static inline ' + prefix, arguments, suffix=''), body)


def setter(schema, layout, leaf):
    name, kind = layout.name, leaf.type.kind
    place = layout.data_words + leaf.field.offset
    base = '%s_%s' % (name.upper(), '_'.join(leaf.names).upper())
    suffix, self = '_'.join(leaf.names), 'struct %s_builder builder' % name
    set_name, init_name = 'void %s_set_%s' % (name, suffix), '%s_init_%s' % (name, suffix)
    guards = select_guards(leaf.guards)
    if kind in SCALAR_BITS:
        bits = SCALAR_BITS[kind]
        if kind in ('float32', 'float64'):
            value = '    uint%d_t bits;\n    __builtin_memcpy(&bits, &value, sizeof bits);\n' % bits
            argument, number = SCALAR_C[kind] + ' value', 'bits'
        else:
            value, argument, number = '', leaf_c_type(schema, leaf.type) + 'value', '(uint64_t)value'
        default = default_bits(leaf)
        if default:
            number += ' ^ UINT64_C(0x%x)' % default
        return function(set_name, [self, argument], guards + value +
                        '    wire_build_number(builder.at, %d, %d, %s);\n'
                        % (offset_bits(leaf), bits, number))
    if kind in ('text', 'data'):
        return function(set_name, [self, 'struct wire_%s %s' % (kind, kind)], guards +
                        '    wire_build_%s(builder.at, %d, %s, %s_BYTES_MAX);\n'
                        % (kind, place, kind, base))
    if is_capability(leaf.type):
        return function(set_name, [self, 'uint32_t capability'], guards +
                        '    wire_build_capability(builder.at, %d, capability);\n' % place)
    if kind == 'struct':
        inner = Layout(schema, schema.nodes[leaf.type.type_id])
        return function('struct %s_builder %s' % (inner.name, init_name), [self], guards +
                        '    return (struct %s_builder){wire_build_struct(builder.at, %d, %d, %d)};\n'
                        % (inner.name, place, inner.data_words, inner.pointer_count))
    element = leaf.type.element
    if element.kind == 'struct':
        inner = Layout(schema, schema.nodes[element.type_id])
        return function('struct %s_list_builder %s' % (inner.name, init_name),
                        [self, 'uint32_t count'], guards +
                        '    return (struct %s_list_builder){wire_build_struct_list(\n'
                        '        builder.at, %d, count, %s_COUNT_MAX, %d, %d)};\n'
                        % (inner.name, place, base, inner.data_words, inner.pointer_count))
    if element.kind in ('text', 'data'):
        bytes_max = base + '_BYTES_MAX' if 'maxBytes' in leaf.field.annotations else 'UINT32_MAX'
        return function('struct wire_text_list_builder %s' % init_name, [self, 'uint32_t count'],
                        guards + '    return wire_build_text_list(builder.at, %d, count, '
                        '%s_COUNT_MAX,\n                                %s);\n'
                        % (place, base, bytes_max))
    return function(set_name, [self, 'const %s*numbers' % leaf_c_type(schema, element),
                               'uint32_t count'], guards +
                    '    wire_build_number_list(builder.at, %d, numbers, count, %s_COUNT_MAX, %d);\n'
                    % (place, base, SCALAR_BITS[element.kind]))


# ---- Structs: codecs ---------------------------------------------------------------

def load_expression(schema, leaf):
    """The field's value out of `word<n>`."""
    kind, bits = leaf.type.kind, SCALAR_BITS[leaf.type.kind]
    word, shift = divmod(offset_bits(leaf), 64)
    value = 'word%d' % word + (' >> %d' % shift if shift else '')
    default = default_bits(leaf)
    if kind == 'bool':
        return '(%s & 1) != %d' % (value, default)
    raw = value if bits == 64 else '(uint%d_t)(%s)' % (bits, value) if shift else \
        '(uint%d_t)%s' % (bits, value)
    if default:
        raw = '(uint%d_t)(%s ^ UINT64_C(0x%x))' % (bits, raw, default)
    if kind.startswith('int'):
        return '(%s)%s' % (SCALAR_C[kind], '(%s)' % raw if ' ' in raw and raw[0] != '(' else raw)
    return raw


def store_expression(leaf, source):
    kind, bits = leaf.type.kind, SCALAR_BITS[leaf.type.kind]
    shift = offset_bits(leaf) % 64
    value = '%s->%s' % (source, leaf.path)
    if kind in ('float32', 'float64'):
        value = '_'.join(leaf.names) + '_bits'
    elif kind.startswith('int'):
        value = '(uint%d_t)%s' % (bits, value)
    value = '(uint64_t)' + value if not (bits == 64 and kind.startswith('uint')) else value
    if default_bits(leaf):
        value = '(%s ^ UINT64_C(0x%x))' % (value, default_bits(leaf))
    return value + (' << %d' % shift if shift else '')


def check_status(function_name, arguments, indent='    '):
    return '%s\n%sif (status != STATUS_OK)\n%s    return status;\n' % (
        wrap_call('%sstatus = %s' % (indent, function_name), arguments), indent, indent)


def read_leaf(schema, layout, leaf, indent):
    """Statements that read a leaf into `value`."""
    kind, target = leaf.type.kind, 'value.' + leaf.path
    base = '%s_%s' % (layout.name.upper(), '_'.join(leaf.names).upper())
    index = leaf.field.offset
    if kind == 'enum':
        enum = enum_name(schema, leaf.type)
        raw = '(enum %s)(%s)' % (enum, load_expression(schema, leaf))
        return ('%s%s = %s;\n%sif ((uint32_t)%s >= %s_COUNT)\n%s    return STATUS_BAD_MESSAGE;\n'
                % (indent, target, raw, indent, target, enum.upper(), indent))
    if kind in ('float32', 'float64'):
        name = '_'.join(leaf.names) + '_bits'
        return ('%suint%d_t %s = %s;\n%s__builtin_memcpy(&%s, &%s, sizeof %s);\n'
                % (indent, SCALAR_BITS[kind], name, load_expression(schema, leaf), indent, target,
                   name, name))
    if kind in SCALAR_BITS:
        return '%s%s = %s;\n' % (indent, target, load_expression(schema, leaf))
    if kind in ('text', 'data'):
        return check_status('wire_read_%s' % kind, [
            'from', str(index), base + '_BYTES_MAX', '&' + target], indent)
    if is_capability(leaf.type):
        return check_status('wire_read_capability', ['from', str(index), '&' + target], indent)
    if kind == 'struct':
        inner = c_name(schema.nodes[leaf.type.type_id])
        return ('%sstruct wire_struct %s_place;\n' % (indent, '_'.join(leaf.names))
                + check_status('wire_read_struct', [
                    'from', str(index), '&%s_place' % '_'.join(leaf.names)], indent)
                + check_status('%s_read' % inner, [
                    '&%s_place' % '_'.join(leaf.names), '&' + target], indent))
    element = leaf.type.element
    if element.kind == 'struct':
        return (check_status('wire_read_struct_list', [
                    'from', str(index), base + '_COUNT_MAX', '&' + target], indent)
                + check_status('%s_check_list' % c_name(schema.nodes[element.type_id]), [
                    '&' + target, 'from->budget_words'], indent))
    if element.kind in ('text', 'data'):
        bytes_max = base + '_BYTES_MAX' if 'maxBytes' in leaf.field.annotations else 'UINT32_MAX'
        return check_status('wire_read_%s_list' % element.kind, [
            'from', str(index), base + '_COUNT_MAX', bytes_max, '&' + target], indent)
    return check_status('wire_read_number_list', [
        'from', str(index), base + '_COUNT_MAX', str(SCALAR_BITS[element.kind]), '&' + target],
        indent)


def condition(guards):
    return ' && '.join('value.%s == %s' % (guard.which, guard.constant) for guard in guards)


def guarded(guards, body):
    """`body` is a function from the indent to statements."""
    if not guards:
        return body('    ')
    return '    if (%s) {\n%s    }\n' % (condition(guards), body('        '))


def load_function(schema, layout):
    """`X_load`: the fields from a data section of full size, and the pointer section."""
    name, word = layout.name, out_name(layout)
    has_pointers = layout.pointer_count != 0
    arguments = (['const struct wire_struct *from'] if has_pointers else []) + \
        (['const wire_word *data'] if layout.data_words else []) + \
        ['struct %s *out_%s' % (name, word)]
    used = sorted({offset_bits(leaf) // 64 for leaf in layout.leaves
                   if leaf.type.kind in SCALAR_BITS}
                  | {union[2].union_offset * 16 // 64 for union in layout.unions})
    body = []
    for index in used:
        body.append('    uint64_t word%d = data[%d];\n' % (index, index))
    body.append('    struct %s value%s;\n' % (name, ' = {0}' if layout.unions else ''))
    if any(leaf.type.kind not in SCALAR_BITS for leaf in layout.leaves):
        body.append('    enum status status;\n')
    for leaf in layout.leaves:
        if leaf.guards and leaf.type.kind == 'text':
            body.append('    value.%s.text = "";\n' % leaf.path)
        if leaf.guards and leaf.type.kind == 'data':
            body.append('    value.%s.data = (const uint8_t *)"";\n' % leaf.path)
    for path, enum, node, guards in layout.unions:
        index, shift = divmod(node.union_offset * 16, 64)
        raw = 'word%d' % index + (' >> %d' % shift if shift else '')
        body.append(guarded(guards, lambda indent: (
            '%svalue.%s = (enum %s)(uint16_t)(%s);\n%sif ((uint32_t)value.%s >= %d)\n'
            '%s    return STATUS_BAD_MESSAGE;\n'
            % (indent, path, enum, raw, indent, path, node.union_count, indent))))
    for leaf in layout.leaves:
        body.append(guarded(leaf.guards,
                            lambda indent: read_leaf(schema, layout, leaf, indent)))
    body.append('    *out_%s = value;\n    return STATUS_OK;\n' % word)
    return '%s\n{\n%s}\n\n' % (wrap_call('static enum status %s_load' % name, arguments, suffix=''),
                               ''.join(body))


def read_function(schema, layout):
    """`X_read`: the fields of a struct of any legal size."""
    name, word = layout.name, out_name(layout)
    body = ''
    if layout.data_words:
        body += ('    wire_word data[%d];\n    wire_read_data_section(from, data, %d);\n'
                 % (layout.data_words, layout.data_words))
    arguments = (['from'] if layout.pointer_count else []) + \
        (['data'] if layout.data_words else []) + ['out_' + word]
    static = '' if is_part(schema, layout.node) else 'static '
    return '%s\n{\n%s    return %s_load(%s);\n}\n\n' % (
        wrap_call(static + 'enum status %s_read' % name,
                  ['const struct wire_struct *from', 'struct %s *out_%s' % (name, word)],
                  suffix=''),
        body, name, ', '.join(arguments))


def decode_function(layout):
    name, word = layout.name, out_name(layout)
    data, pointers = layout.data_words, layout.pointer_count
    arguments = (['&root'] if pointers else []) + (['words + 1'] if data else []) + ['out_' + word]
    budget = '' if layout.is_flat else '    uint32_t budget_words = size_bytes / 8;\n'
    root = '' if not pointers else (
        '        struct wire_struct root = {\n'
        '            .words = words,\n            .word_count = size_bytes / 8,\n'
        '            .pointers = %d,\n            .pointer_count = %d,\n%s        };\n'
        % (1 + data, pointers,
           '' if layout.is_flat else '            .budget_words = &budget_words,\n'))
    fast = ('    if (size_bytes >= %d && size_bytes %% 8 == 0 && '
            'words[0] == WIRE_STRUCT_POINTER(%d, %d)) {\n%s'
            '        return %s_load(%s);\n    }\n'
            % (8 + 8 * layout.words, data, pointers, root, name, ', '.join(arguments)))
    if not root:
        fast = fast.replace(' {\n', '\n').replace('    }\n', '')
    slow_budget = '' if layout.is_flat else '    root.budget_words = &budget_words;\n'
    return ('%s\n{\n    const wire_word *words = message;\n%s%s'
            '    struct wire_struct root;\n'
            '    enum status status = wire_read_root(message, size_bytes, &root);\n'
            '    if (status != STATUS_OK)\n        return status;\n%s'
            '    return %s_read(&root, out_%s);\n}\n\n'
            % (wrap_call('enum status %s_decode' % name,
                         ['const void *message', 'uint32_t size_bytes',
                          'struct %s *out_%s' % (name, word)], suffix=''),
               budget, fast, slow_budget, name, word))


def encode_function(schema, layout):
    name, word = layout.name, out_name(layout)
    checks = ['buffer_bytes < %d' % (8 + 8 * layout.words)]
    floats = []
    for leaf in layout.leaves:
        if leaf.type.kind == 'enum':
            checks.append('(uint32_t)%s->%s >= %s_COUNT'
                          % (word, leaf.path, enum_name(schema, leaf.type).upper()))
        if leaf.type.kind in ('float32', 'float64'):
            bits = '_'.join(leaf.names) + '_bits'
            floats.append('    uint%d_t %s;\n    __builtin_memcpy(&%s, &%s->%s, sizeof %s);\n'
                          % (SCALAR_BITS[leaf.type.kind], bits, bits, word, leaf.path, bits))
    body = ['    wire_word *words = buffer;\n',
            '    if (%s)\n        return 0;\n' % (' ||\n        '.join(checks))] + floats
    body.append('    words[0] = WIRE_STRUCT_POINTER(%d, %d);\n'
                % (layout.data_words, layout.pointer_count))
    for index in range(layout.data_words):
        parts = [store_expression(leaf, word) for leaf in layout.leaves
                 if leaf.type.kind in SCALAR_BITS and offset_bits(leaf) // 64 == index]
        body.append('    words[%d] = %s;\n' % (1 + index, ' | '.join(parts) or '0'))
    writes = []
    for leaf in layout.leaves:
        if leaf.type.kind in SCALAR_BITS:
            continue
        place = 1 + layout.data_words + leaf.field.offset
        if is_capability(leaf.type):
            body.append('    words[%d] = wire_capability_word(%s->%s);\n'
                        % (place, word, leaf.path))
        else:
            writes.append(wrap_call('        !wire_write_%s' % leaf.type.kind, [
                'words', 'buffer_bytes / 8', str(place), '&end', '%s->%s' % (word, leaf.path),
                '%s_%s_BYTES_MAX' % (name.upper(), '_'.join(leaf.names).upper())], suffix=''))
    if writes:
        body.append('    uint32_t end = %d;\n' % (1 + layout.words))
        body.append('    if (%s)\n        return 0;\n    return end * 8;\n'
                    % ' ||\n'.join(writes).lstrip())
    else:
        body.append('    return %d;\n' % (8 + 8 * layout.words))
    return '%s\n{\n%s}\n\n' % (
        wrap_call('uint32_t %s_encode' % name,
                  ['const struct %s *%s' % (name, word), 'void *buffer', 'uint32_t buffer_bytes'],
                  suffix=''), ''.join(body))


def part_functions(layout):
    name, word = layout.name, out_name(layout)
    values = {'name': name, 'word': word,
              'at': wrap_call('enum status %s_at' % name,
                              ['const struct wire_list *list', 'uint32_t index',
                               'struct %s *out_%s' % (name, word)], suffix='')}
    return '''%(at)s
{
    struct wire_struct place;
    enum status status = wire_list_struct(list, index, nullptr, &place);
    return status == STATUS_OK ? %(name)s_read(&place, out_%(word)s) : status;
}

// Reads every element once, at the cost of the budget.
enum status %(name)s_check_list(const struct wire_list *list, uint32_t *budget_words)
{
    for (uint32_t i = 0; budget_words != nullptr && i < list->count; i++) {
        struct wire_struct place;
        struct %(name)s element;
        enum status status = wire_list_struct(list, i, budget_words, &place);
        if (status == STATUS_OK)
            status = %(name)s_read(&place, &element);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

''' % values


# ---- Files -------------------------------------------------------------------------

def in_order(schema, layouts):
    """Embedded structs before those that embed them."""
    done, out, by_id = set(), [], {layout.node.id: layout for layout in layouts}

    def visit(layout):
        if layout.node.id in done:
            return
        done.add(layout.node.id)
        for leaf in layout.leaves:
            if leaf.type.kind == 'struct' and leaf.type.type_id in by_id:
                visit(by_id[leaf.type.type_id])
        out.append(layout)
    for layout in layouts:
        visit(layout)
    return out


def wire_imports(schema, file):
    """Files whose types this file's structs mention."""
    needed = set()
    for node in schema.of_file(file, 'struct'):
        for leaf in Layout(schema, node).leaves:
            for type in (leaf.type, leaf.type.element):
                if type is not None and type.kind in ('enum', 'struct'):
                    needed.add(stem(schema.nodes[type.type_id].file))
    return sorted(needed - {stem(file)})


def struct_layouts(schema, file):
    return [layout for layout in (Layout(schema, node) for node in schema.of_file(file, 'struct'))
            if not layout.is_empty]


def wire_files(schema, file):
    name = stem(file)
    head = HEAD % ('schema/%s.capnp' % name)
    layouts = in_order(schema, struct_layouts(schema, file))
    enums = [node for node in schema.of_file(file, 'enum') if node.path != 'Status']
    header = [head, '''// The structs of the schema and their codecs.
//
// X_decode reads a message (one segment, the root pointer first, a multiple of 8 bytes,
// 8-byte aligned).  STATUS_BAD_MESSAGE unless it is well-formed and within all bounds.
// Text, Data and lists point into the message.
// X_encode writes one and returns its size; 0 if it doesn't fit or a bound is exceeded.
// `buffer` is 8-byte aligned.
#pragma once

#include <gen/status.h>
''']
    header += ['#include <gen/wire/%s.h>\n' % other for other in wire_imports(schema, file)]
    header.append('#include <lib/wire.h>\n#include <stdint.h>\n\n')
    header += [enum_declaration(node) for node in enums]
    header += [struct_declaration(schema, layout) for layout in layouts]
    built = [layout for layout in layouts if needs_builder(schema, layout)]
    if built:
        header.append('// ---- Building, over struct wire_builder ----\n\n')
        header += [builder_handles(layout) for layout in built]
        header.append('\n')
        header += [builder_functions(schema, layout) + '\n' for layout in built]
    source = [head, '#include <gen/wire/%s.h>\n\n' % name]
    source += [enum_definition(node) for node in enums]
    for layout in layouts:
        source += [load_function(schema, layout), read_function(schema, layout),
                   decode_function(layout)]
        if layout.is_flat:
            source.append(encode_function(schema, layout))
        if is_part(schema, layout.node):
            source.append(part_functions(layout))
    return {'wire/%s.h' % name: ''.join(header).rstrip() + '\n',
            'wire/%s.c' % name: ''.join(source).rstrip() + '\n'}
