// SPDX-License-Identifier: MIT
// The schema at run time: what interfaces, methods, structs and enums there are.
//
// tools/schemac/gen_descriptor.py writes the schema as one blob of bytes (<gen/descriptor.h>);
// this module reads any such blob.  lib/value.h builds and reads messages with it.
//
// Format, version 1.  All numbers are little-endian.
//
//     header   u32 magic "CPDS", u32 version, u32 size of the blob, u32 zero
//     7 x      u32 offset in bytes, u32 count: interfaces, methods, structs, fields, enums,
//              enumerants, strings (count in bytes)
//     records  interface   u64 id, name, doc, u32 first method, u16 methods, u16 flags
//              method      name, doc, u32 params struct, u32 results struct, u16 ordinal,
//                          u16 flags
//              struct      name, doc, u32 first field, u16 fields, u16 data words,
//                          u16 pointers, u16 depth, u16 union members, u16 flags,
//                          u32 bit offset of the union's discriminant, u32 zero
//              field       name, doc, unit, u8 kind, u8 kind of elements, u16 discriminant,
//                          u32 bit offset or index of the pointer, u32 bytes_max,
//                          u32 count_max, u32 struct or enum, u64 default's bits,
//                          u64 interface id
//              enum        name, doc, u32 first enumerant, u32 enumerants
//              enumerant   name, doc
//
// A name, doc or unit is a u32: where its NUL-terminated UTF-8 text starts in the strings, of
// which the first and the last byte are NUL.  Interfaces are sorted by id.  Methods and fields
// of one owner stand in the order of their ordinals.  `depth` is more than that of every
// struct inside, so readers may recurse.
//
// Invariants: descriptor_open checks every number of the blob, in time linear in its size.
// After that no index, offset or string leads out of it, so the other functions have no
// errors but "there is none".  The blob must not change.
//
// Tested by lib/descriptor_test.c, fuzzed by tests/fuzz/fuzz_descriptor.c.
#pragma once

#include <gen/status.h>
#include <stddef.h>
#include <stdint.h>

constexpr uint32_t DESCRIPTOR_MAGIC = 0x53445043;
constexpr uint32_t DESCRIPTOR_VERSION = 1;
constexpr uint32_t DESCRIPTOR_DEPTH_MAX = 16;
constexpr uint16_t DESCRIPTOR_NO_DISCRIMINANT = 0xffff;

enum descriptor_section {
    DESCRIPTOR_INTERFACES,
    DESCRIPTOR_METHODS,
    DESCRIPTOR_STRUCTS,
    DESCRIPTOR_FIELDS,
    DESCRIPTOR_ENUMS,
    DESCRIPTOR_ENUMERANTS,
    DESCRIPTOR_STRINGS,
    DESCRIPTOR_SECTION_COUNT,
};

enum descriptor_kind : uint8_t {
    DESCRIPTOR_VOID,
    DESCRIPTOR_BOOL,
    DESCRIPTOR_INT8,
    DESCRIPTOR_INT16,
    DESCRIPTOR_INT32,
    DESCRIPTOR_INT64,
    DESCRIPTOR_UINT8,
    DESCRIPTOR_UINT16,
    DESCRIPTOR_UINT32,
    DESCRIPTOR_UINT64,
    DESCRIPTOR_FLOAT32,
    DESCRIPTOR_FLOAT64,
    DESCRIPTOR_TEXT,
    DESCRIPTOR_DATA,
    DESCRIPTOR_LIST,
    DESCRIPTOR_ENUM,
    DESCRIPTOR_STRUCT,
    DESCRIPTOR_CAPABILITY,
    DESCRIPTOR_GROUP, // fields of the same struct, of a struct record of their own
    DESCRIPTOR_KIND_COUNT,
};

// A blob that was checked.  Lends the bytes.
struct descriptor {
    const uint8_t *bytes;
    uint32_t offset[DESCRIPTOR_SECTION_COUNT];
    uint32_t count[DESCRIPTOR_SECTION_COUNT];
};

struct descriptor_interface {
    uint64_t id;
    const char *name;
    const char *doc;
    uint32_t first_method;
    uint16_t method_count;
    bool kernel_homed; // only the kernel speaks for it
};

struct descriptor_method {
    const char *name;
    const char *doc;
    uint32_t params;  // struct
    uint32_t results; // struct
    uint16_t ordinal;
    bool pending; // may complete later
};

struct descriptor_struct {
    const char *name; // "Timer.SleepParams"
    const char *doc;
    uint32_t first_field;
    uint16_t field_count;
    uint16_t data_words;
    uint16_t pointer_count;
    uint16_t depth;
    uint16_t union_count; // members of its union, 0: it has none
    bool is_group;
    uint32_t union_offset_bits;
};

struct descriptor_field {
    const char *name;
    const char *doc;
    const char *unit; // "" if it has none
    enum descriptor_kind kind;
    enum descriptor_kind element; // of a list
    uint16_t discriminant;        // DESCRIPTOR_NO_DISCRIMINANT outside unions
    uint32_t offset;              // in bits of the data section, or the index of the pointer
    uint32_t bytes_max;           // of Text and Data, UINT32_MAX: no bound
    uint32_t count_max;           // of a list
    uint32_t type;                // struct or enum, of the field or of its elements
    uint64_t default_bits;        // XORed into what is stored
    uint64_t interface_id;        // of a capability, 0: any
};

struct descriptor_enum {
    const char *name;
    const char *doc;
    uint32_t first_enumerant;
    uint32_t count;
};

struct descriptor_enumerant {
    const char *name;
    const char *doc;
};

// Checks a blob.  STATUS_BAD_MESSAGE: it isn't of this version, or not well-formed.
[[nodiscard]] enum status descriptor_open(const void *blob, size_t size_bytes,
                                          struct descriptor *out_descriptor);

// All lookups return whether there is such a thing.  Names are of `name_bytes` bytes and need
// no NUL; what is found lends from the blob.
[[nodiscard]] bool descriptor_interface_at(const struct descriptor *descriptor, uint32_t index,
                                           struct descriptor_interface *out_interface);
[[nodiscard]] bool descriptor_interface_by_id(const struct descriptor *descriptor, uint64_t id,
                                              struct descriptor_interface *out_interface);
[[nodiscard]] bool descriptor_interface_by_name(const struct descriptor *descriptor,
                                                const char *name, size_t name_bytes,
                                                struct descriptor_interface *out_interface);
// The name of an interface, "?" if it is unknown.
[[nodiscard]] const char *descriptor_interface_name(const struct descriptor *descriptor,
                                                    uint64_t id);

[[nodiscard]] bool descriptor_method_at(const struct descriptor *descriptor,
                                        const struct descriptor_interface *interface,
                                        uint32_t ordinal, struct descriptor_method *out_method);
[[nodiscard]] bool descriptor_method_by_name(const struct descriptor *descriptor,
                                             const struct descriptor_interface *interface,
                                             const char *name, size_t name_bytes,
                                             struct descriptor_method *out_method);

[[nodiscard]] bool descriptor_struct_at(const struct descriptor *descriptor, uint32_t index,
                                        struct descriptor_struct *out_struct);
[[nodiscard]] bool descriptor_struct_by_name(const struct descriptor *descriptor,
                                             const char *name, size_t name_bytes,
                                             uint32_t *out_index);
[[nodiscard]] bool descriptor_field_at(const struct descriptor *descriptor,
                                       const struct descriptor_struct *of, uint32_t index,
                                       struct descriptor_field *out_field);
[[nodiscard]] bool descriptor_field_by_name(const struct descriptor *descriptor,
                                            const struct descriptor_struct *of,
                                            const char *name, size_t name_bytes,
                                            uint32_t *out_index);

[[nodiscard]] bool descriptor_enum_at(const struct descriptor *descriptor, uint32_t index,
                                      struct descriptor_enum *out_enum);
[[nodiscard]] bool descriptor_enumerant_at(const struct descriptor *descriptor,
                                           const struct descriptor_enum *of, uint32_t value,
                                           struct descriptor_enumerant *out_enumerant);

// The width of a number in the data section; 0 for what lies elsewhere.
[[nodiscard]] uint32_t descriptor_kind_bits(enum descriptor_kind kind);
// Whether a field is a pointer: Text, Data, a list, a struct or a capability.
[[nodiscard]] bool descriptor_kind_is_pointer(enum descriptor_kind kind);
