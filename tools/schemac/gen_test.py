# SPDX-License-Identifier: MIT
"""gen/test/codecs.h: every struct's codec behind one signature, for the cross tests
against the reference implementation (tests/wire) and the fuzzer (tests/fuzz/fuzz_wire.c).
Host only.
"""

from codegen import (HEAD, SCALAR_C, c_field, c_name, enum_name, is_capability, stem,
                     which_constant)
from gen_wire import in_order, needs_builder, struct_layouts
from model import NO_DISCRIMINANT
from sample import Sample, c_words

PROLOGUE = '''// Every generated codec behind one signature.  `print` writes the decoded value as the
// JSON that `capnp convert` writes; `recode` decodes and encodes again, and with `mark`
// set puts 1, 2, 3, ... into its capability fields first.  Both return what decode returned.
#pragma once

%s#include <stdio.h>

struct codec {
    const char *file; // of the schema
    const char *path; // of the struct in it
    const uint64_t *sample; // a valid message with every field set
    uint32_t sample_bytes;
    enum status (*print)(const void *message, uint32_t size_bytes, FILE *out);
    enum status (*recode)(const void *message, uint32_t size_bytes, bool mark, void *buffer,
                          uint32_t buffer_bytes, uint32_t *out_bytes);
};

static inline void json_text(FILE *out, struct wire_text text)
{
    fputc('"', out);
    for (uint32_t i = 0; i < text.size_bytes; i++) {
        if (text.text[i] == '"' || text.text[i] == '\\\\')
            fputc('\\\\', out);
        fputc(text.text[i], out);
    }
    fputc('"', out);
}

static inline void json_data(FILE *out, struct wire_data data)
{
    for (uint32_t i = 0; i < data.size_bytes; i++)
        fprintf(out, "%%s%%u", i == 0 ? "[" : ",", data.data[i]);
    fputs(data.size_bytes == 0 ? "[]" : "]", out);
}

'''


def print_scalar(schema, leaf_type, value):
    kind = leaf_type.kind
    if kind == 'bool':
        return 'fputs(%s ? "true" : "false", out);' % value
    if kind == 'enum':
        return 'fprintf(out, "\\"%%s\\"", %s_name(%s));' % (enum_name(schema, leaf_type), value)
    if kind in ('float32', 'float64'):
        return 'fprintf(out, "%%.17g", (double)%s);' % value
    if kind.startswith('int'):
        return 'fprintf(out, "\\"%%lld\\"", (long long)%s);' % value
    return 'fprintf(out, "\\"%%llu\\"", (unsigned long long)%s);' % value


class Printer:
    """Statements that print the members of a struct or group."""

    def __init__(self, schema, layout):
        self.schema, self.layout, self.out = schema, layout, []

    def members(self, node, names, indent):
        """Ordinary fields first, so that it is known where the commas go."""
        self.out.append('%sfputc(\'{\', out);\n' % indent)
        plain = [member for member in node.fields if member.discriminant == NO_DISCRIMINANT]
        for i, member in enumerate(plain):
            self.named(member, names, indent, ',' if i else '')
        for member in node.fields:
            if member.discriminant != NO_DISCRIMINANT:
                self.out.append('%sif (value->%s == %s) {\n' % (
                    indent, '.'.join(names + ['which']),
                    which_constant(self.layout.node, names, member)))
                self.named(member, names, indent + '    ', ',' if plain else '')
                self.out.append('%s}\n' % indent)
        self.out.append('%sfputc(\'}\', out);\n' % indent)

    def named(self, member, names, indent, comma):
        self.out.append('%sfputs("%s\\"%s\\":", out);\n' % (indent, comma, member.name))
        self.member(member, names + [c_field(member.name)], indent)

    def member(self, member, names, indent):
        value = 'value->' + '.'.join(names)
        if member.type is None:
            self.members(self.schema.nodes[member.group_id], names, indent)
        elif member.type.kind == 'void':
            self.out.append('%sfputs("null", out);\n' % indent)
        elif is_capability(member.type):
            self.out.append('%sfputs(%s == WIRE_CAP_NULL ? "null" : "\\"capability\\"", out);\n'
                            % (indent, value))
        elif member.type.kind in ('text', 'data'):
            self.out.append('%sjson_%s(out, %s);\n' % (indent, member.type.kind, value))
        elif member.type.kind == 'struct':
            self.out.append('%sjson_%s(out, &%s);\n' % (
                indent, c_name(self.schema.nodes[member.type.type_id]), value))
        elif member.type.kind == 'list':
            self.list(member.type.element, value, indent)
        else:
            self.out.append('%s%s\n' % (indent, print_scalar(self.schema, member.type, value)))

    def list(self, element, value, indent):
        body = self.element(element, value, indent + '    ')
        self.out.append('''%(i)sfputc('[', out);
%(i)sfor (uint32_t i = 0; i < %(v)s.count; i++) {
%(i)s    if (i != 0)
%(i)s        fputc(',', out);
%(b)s%(i)s}
%(i)sfputc(']', out);
''' % {'i': indent, 'v': value, 'b': body})

    def element(self, element, value, indent):
        if element.kind == 'struct':
            name = c_name(self.schema.nodes[element.type_id])
            return ('%(i)sstruct %(n)s element;\n%(i)sif (%(n)s_at(&%(v)s, i, &element) == STATUS_OK)\n'
                    '%(i)s    json_%(n)s(out, &element);\n' % {'i': indent, 'n': name, 'v': value})
        if element.kind in ('text', 'data'):
            return ('%(i)sstruct wire_%(k)s element;\n'
                    '%(i)sif (wire_list_%(k)s(&%(v)s, i, &element) == STATUS_OK)\n'
                    '%(i)s    json_%(k)s(out, element);\n'
                    % {'i': indent, 'k': element.kind, 'v': value})
        number = '(%s)wire_list_number(&%s, i)' % (SCALAR_C[element.kind], value)
        return '%s%s\n' % (indent, print_scalar(self.schema, element, number))


def print_function(schema, layout):
    printer = Printer(schema, layout)
    printer.members(layout.node, [], '    ')
    return ('static void json_%(n)s(FILE *out, const struct %(n)s *value)\n{\n%(b)s}\n\n'
            % {'n': layout.name, 'b': ''.join(printer.out)})


def build_function(schema, layout):
    """Copies a decoded value into a builder."""
    name, body = layout.name, []
    for path, _, node, guards in layout.unions:
        names = path.split('.')[:-1]
        for member in node.fields:
            if member.discriminant != NO_DISCRIMINANT:
                tests = ['value->%s == %s' % (guard.which, guard.constant) for guard in guards]
                tests.append('value->%s == %s' % (path, which_constant(layout.node, names, member)))
                body.append('if (%s)\n    %s_select_%s(builder);\n' % (
                    ' && '.join(tests), name, '_'.join(names + [c_field(member.name)])))
    for leaf in layout.leaves:
        suffix, value, kind = '_'.join(leaf.names), 'value->' + leaf.path, leaf.type.kind
        statement = '%s_set_%s(builder, %s);\n' % (name, suffix, value)
        if kind == 'list':
            statement = build_list(schema, name, suffix, value, leaf.type.element)
        elif kind == 'struct':
            statement = 'build_%s(%s_init_%s(builder), &%s);\n' % (
                c_name(schema.nodes[leaf.type.type_id]), name, suffix, value)
        if leaf.guards:
            statement = 'if (%s) {\n%s}\n' % (' && '.join(
                'value->%s == %s' % (guard.which, guard.constant) for guard in leaf.guards),
                statement)
        body.append(statement)
    return ('static void build_%(n)s(struct %(n)s_builder builder, const struct %(n)s *value)\n'
            '{\n%(b)s}\n\n' % {'n': name, 'b': ''.join('    ' + line + '\n' for line in
                                                       ''.join(body).splitlines())})


def build_list(schema, name, suffix, value, element):
    values = {'n': name, 's': suffix, 'v': value}
    if element.kind == 'struct':
        values['e'] = c_name(schema.nodes[element.type_id])
        return '''if (%(v)s.count != 0) {
    struct %(e)s_list_builder list = %(n)s_init_%(s)s(builder, %(v)s.count);
    for (uint32_t i = 0; i < %(v)s.count; i++) {
        struct %(e)s element;
        if (%(e)s_at(&%(v)s, i, &element) == STATUS_OK)
            build_%(e)s(%(e)s_element(list, i), &element);
    }
}
''' % values
    if element.kind in ('text', 'data'):
        values['k'] = element.kind
        return '''if (%(v)s.count != 0) {
    struct wire_text_list_builder list = %(n)s_init_%(s)s(builder, %(v)s.count);
    for (uint32_t i = 0; i < %(v)s.count; i++) {
        struct wire_%(k)s element;
        if (wire_list_%(k)s(&%(v)s, i, &element) == STATUS_OK)
            wire_%(k)s_list_set(list, i, element);
    }
}
''' % values
    values['t'] = SCALAR_C[element.kind]
    values['max'] = '%s_%s_COUNT_MAX' % (name.upper(), suffix.upper())
    return '''if (%(v)s.count != 0) {
    static %(t)s numbers[%(max)s];
    for (uint32_t i = 0; i < %(v)s.count; i++)
        numbers[i] = (%(t)s)wire_list_number(&%(v)s, i);
    %(n)s_set_%(s)s(builder, numbers, %(v)s.count);
}
''' % values


def codec_functions(schema, layout):
    name = layout.name
    marks = ''.join('        value.%s = %d;\n' % (leaf.path, i + 1)
                    for i, leaf in enumerate(layout.capabilities))
    mark = '    if (mark) {\n%s    }\n' % marks if marks else '    (void)mark;\n'
    if layout.is_flat:
        encode = '    *out_bytes = %s_encode(&value, buffer, buffer_bytes);\n' % name
    else:
        encode = '''    struct wire_builder builder;
    wire_builder_init(&builder, buffer, buffer_bytes);
    build_%(n)s(%(n)s_root(&builder), &value);
    *out_bytes = wire_builder_finish(&builder);
''' % {'n': name}
    return '''static enum status print_%(n)s(const void *message, uint32_t size_bytes, FILE *out)
{
    struct %(n)s value;
    enum status status = %(n)s_decode(message, size_bytes, &value);
    if (status == STATUS_OK)
        json_%(n)s(out, &value);
    return status;
}

static enum status recode_%(n)s(const void *message, uint32_t size_bytes, bool mark,
                                void *buffer, uint32_t buffer_bytes, uint32_t *out_bytes)
{
    struct %(n)s value;
    enum status status = %(n)s_decode(message, size_bytes, &value);
    if (status != STATUS_OK)
        return status;
%(m)s%(e)s    return STATUS_OK;
}

''' % {'n': name, 'm': mark, 'e': encode}


def codecs_header(schema):
    files = [file for file in schema.files
             if not schema.of_file(file, 'annotation') and struct_layouts(schema, file)]
    out = [HEAD % 'schema/*.capnp',
           PROLOGUE % ''.join('#include <gen/wire/%s.h>\n' % stem(file) for file in files)]
    entries = []
    for file in files:
        for layout in in_order_of_parts(schema, file):
            out.append(print_function(schema, layout))
            if needs_builder(schema, layout):
                out.append(build_function(schema, layout))
            out.append(codec_functions(schema, layout))
            sample = Sample(schema, layout).words
            out.append('static const uint64_t sample_%s[] = {%s};\n\n'
                       % (layout.name, c_words(sample)))
            entries.append('    {"%s", "%s", sample_%s, sizeof sample_%s, print_%s, recode_%s},\n'
                           % ((stem(file), layout.node.path) + (layout.name,) * 4))
    out.append('static const struct codec codec_table[] = {\n%s};\n' % ''.join(entries))
    out.append('constexpr uint32_t CODEC_COUNT = %d;\n' % len(entries))
    return {'test/codecs.h': ''.join(out)}


def in_order_of_parts(schema, file):
    """Elements and fields before the structs that have them."""
    layouts = {layout.node.id: layout for layout in struct_layouts(schema, file)}
    done = []

    def visit(layout):
        for leaf in layout.leaves:
            for type in (leaf.type, leaf.type.element):
                if type is not None and type.kind == 'struct' and type.type_id in layouts:
                    visit(layouts[type.type_id])
        if layout not in done:
            done.append(layout)
    for layout in in_order(schema, layouts.values()):
        visit(layout)
    return done
