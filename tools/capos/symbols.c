// SPDX-License-Identifier: MIT
// Owns the reading of ELF symbol tables.  The file is untrusted: every offset is checked
// against its length before it is followed, and every structure is copied out.
// What a loader needs of a file is lib/elf.c's.  Tested by symbols_test.c.
#include "symbols.h"

#include <elf.h>
#include <string.h>

// Copies `bytes` at `offset` out of the file; false if they aren't all inside.
static bool file_read(const uint8_t *file, size_t file_bytes, uint64_t offset, void *out,
                      size_t bytes)
{
    if (offset > file_bytes || bytes > file_bytes - offset)
        return false;
    memcpy(out, file + offset, bytes);
    return true;
}

static bool header_read(const uint8_t *file, size_t file_bytes, Elf64_Ehdr *out_header)
{
    if (!file_read(file, file_bytes, 0, out_header, sizeof *out_header))
        return false;
    return memcmp(out_header->e_ident, ELFMAG, SELFMAG) == 0 &&
           out_header->e_ident[EI_CLASS] == ELFCLASS64 &&
           out_header->e_ident[EI_DATA] == ELFDATA2LSB && out_header->e_machine == EM_X86_64;
}

// Reads entry `index` of a table whose entries are all `bytes` long.
static bool entry_read(const uint8_t *file, size_t file_bytes, uint64_t table, uint32_t index,
                       void *out, size_t bytes)
{
    uint64_t offset;
    return !__builtin_add_overflow(table, (uint64_t)index * bytes, &offset) &&
           file_read(file, file_bytes, offset, out, bytes);
}

// The NUL-terminated string at `offset` of a string table, or nullptr.
static const char *string_at(const uint8_t *file, size_t file_bytes, const Elf64_Shdr *strings,
                             uint32_t offset)
{
    if (strings->sh_offset > file_bytes || strings->sh_size > file_bytes - strings->sh_offset ||
        offset >= strings->sh_size)
        return nullptr;
    const uint8_t *start = file + strings->sh_offset + offset;
    if (memchr(start, 0, strings->sh_size - offset) == nullptr)
        return nullptr;
    return (const char *)start;
}

static bool symbol_covers(const Elf64_Sym *symbol, uint64_t address)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    if (symbol->st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_NOTYPE))
        return false;
    // Assembly labels have no size; they cover the address that they are at.
    uint64_t size = symbol->st_size > 0 ? symbol->st_size : 1;
    return address >= symbol->st_value && address - symbol->st_value < size;
}

static bool table_find(const uint8_t *file, size_t file_bytes, const Elf64_Shdr *table,
                       const Elf64_Shdr *strings, uint64_t address, struct symbol *out_symbol)
{
    uint64_t count = table->sh_size / sizeof(Elf64_Sym);
    for (uint32_t i = 0; i < count && i < UINT32_MAX; i++) {
        Elf64_Sym symbol;
        if (!entry_read(file, file_bytes, table->sh_offset, i, &symbol, sizeof symbol))
            return false;
        if (!symbol_covers(&symbol, address))
            continue;
        const char *name = string_at(file, file_bytes, strings, symbol.st_name);
        if (name == nullptr || *name == 0)
            continue;
        *out_symbol = (struct symbol){.name = name, .offset = address - symbol.st_value};
        return true;
    }
    return false;
}

bool symbol_find(const uint8_t *file, size_t file_bytes, uint64_t address,
                 struct symbol *out_symbol)
{
    Elf64_Ehdr header;
    if (!header_read(file, file_bytes, &header) || header.e_shentsize != sizeof(Elf64_Shdr))
        return false;
    for (uint32_t i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr table, strings;
        if (!entry_read(file, file_bytes, header.e_shoff, i, &table, sizeof table))
            return false;
        if (table.sh_type != SHT_SYMTAB || table.sh_link >= header.e_shnum)
            continue;
        if (!entry_read(file, file_bytes, header.e_shoff, table.sh_link, &strings,
                        sizeof strings))
            return false;
        if (table_find(file, file_bytes, &table, &strings, address, out_symbol))
            return true;
    }
    return false;
}

uint32_t section_count(const uint8_t *file, size_t file_bytes)
{
    Elf64_Ehdr header;
    bool readable =
        header_read(file, file_bytes, &header) && header.e_shentsize == sizeof(Elf64_Shdr);
    return readable ? header.e_shnum : 0;
}

bool section_at(const uint8_t *file, size_t file_bytes, uint32_t index,
                struct section *out_section)
{
    Elf64_Ehdr header;
    Elf64_Shdr section, strings;
    if (index >= section_count(file, file_bytes) || !header_read(file, file_bytes, &header) ||
        header.e_shstrndx >= header.e_shnum ||
        !entry_read(file, file_bytes, header.e_shoff, index, &section, sizeof section) ||
        !entry_read(file, file_bytes, header.e_shoff, header.e_shstrndx, &strings,
                    sizeof strings) ||
        section.sh_type == SHT_NOBITS || section.sh_offset > file_bytes ||
        section.sh_size > file_bytes - section.sh_offset)
        return false;
    out_section->name = string_at(file, file_bytes, &strings, section.sh_name);
    out_section->data = file + section.sh_offset;
    out_section->bytes = section.sh_size;
    return out_section->name != nullptr;
}
