// SPDX-License-Identifier: MIT
// The fixture is a small ELF file made here: header, one segment, a symbol table with
// two functions, its strings, three section headers.
#include "symbols.h"

#include <elf.h>
#include <stddef.h>

#include <test/test.h>

struct fixture {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    uint8_t code[64];
    Elf64_Sym symbols[4];
    char strings[32];
    Elf64_Shdr sections[3];
};

static struct fixture fixture_new(void)
{
    return (struct fixture){
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_phoff = offsetof(struct fixture, segments),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2,
                   .e_shoff = offsetof(struct fixture, sections),
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 3},
        .segments = {{.p_type = PT_LOAD,
                      .p_offset = offsetof(struct fixture, code),
                      .p_filesz = sizeof(uint8_t[64])},
                     {.p_type = PT_NULL}},
        .symbols = {{},
                    {.st_name = 1,
                     .st_info = STT_FUNC,
                     .st_shndx = 1,
                     .st_value = 0x1000,
                     .st_size = 0x20},
                    {.st_name = 6,
                     .st_info = STT_FUNC,
                     .st_shndx = 1,
                     .st_value = 0x1020,
                     .st_size = 0x10},
                    {.st_name = 999,
                     .st_info = STT_FUNC,
                     .st_shndx = 1,
                     .st_value = 0x2000,
                     .st_size = 0x10}},
        .strings = "\0main\0store",
        .sections = {{},
                     {.sh_type = SHT_SYMTAB,
                      .sh_link = 2,
                      .sh_offset = offsetof(struct fixture, symbols),
                      .sh_size = sizeof(Elf64_Sym[4])},
                     {.sh_type = SHT_STRTAB,
                      .sh_offset = offsetof(struct fixture, strings),
                      .sh_size = sizeof(char[32])}},
    };
}

static bool find(const struct fixture *fixture, uint64_t address, struct symbol *out_symbol)
{
    return symbol_find((const uint8_t *)fixture, sizeof *fixture, address, out_symbol);
}

static void an_address_is_named_by_its_function(void)
{
    struct fixture fixture = fixture_new();
    struct symbol symbol = {};
    CHECK(find(&fixture, 0x1000, &symbol));
    CHECK(strcmp(symbol.name, "main") == 0 && symbol.offset == 0);
    CHECK(find(&fixture, 0x102f, &symbol));
    CHECK(strcmp(symbol.name, "store") == 0 && symbol.offset == 0xf);
    CHECK(!find(&fixture, 0x1030, &symbol));
    CHECK(!find(&fixture, 0xfff, &symbol));
    CHECK(!find(&fixture, 0x2000, &symbol)); // its name lies outside the string table
}

static void no_cut_of_a_file_is_read_beyond_its_end(void)
{
    struct fixture fixture = fixture_new();
    uint8_t file[sizeof fixture];
    for (size_t bytes = 0; bytes < sizeof fixture; bytes++) {
        memcpy(file, &fixture, bytes);
        struct symbol symbol;
        CHECK(!symbol_find(file, bytes, 0x1000, &symbol));
    }
}

static void hostile_offsets_are_refused(void)
{
    struct symbol symbol;
    struct fixture fixture = fixture_new();
    fixture.header.e_shoff = UINT64_MAX - 8;
    CHECK(!find(&fixture, 0x1000, &symbol));
    fixture = fixture_new();
    fixture.sections[1].sh_offset = UINT64_MAX - 4;
    CHECK(!find(&fixture, 0x1000, &symbol));
    fixture = fixture_new();
    fixture.sections[2].sh_offset = UINT64_MAX;
    CHECK(!find(&fixture, 0x1000, &symbol));
    fixture = fixture_new();
    fixture.sections[1].sh_link = 77;
    CHECK(!find(&fixture, 0x1000, &symbol));
    fixture = fixture_new();
    memset(fixture.strings, 'x', sizeof fixture.strings);
    CHECK(!find(&fixture, 0x1000, &symbol)); // no string ends
}

int main(void)
{
    RUN(an_address_is_named_by_its_function);
    RUN(no_cut_of_a_file_is_read_beyond_its_end);
    RUN(hostile_offsets_are_refused);
    return test_report();
}
