// SPDX-License-Identifier: MIT
// A small, well-formed capOS program for tests of whatever reads ELF files: laid out as
// lld does it, with each kind of segment that capOS knows.  Its code is `hlt`: it can be
// loaded, not run.
#pragma once

#include <elf.h>
#include <lib/elf.h>
#include <string.h>

enum { // the sample's program headers, in their order
    SAMPLE_TEXT,
    SAMPLE_RODATA,
    SAMPLE_RELRO_DATA,
    SAMPLE_DATA, // loaded
    SAMPLE_TLS,
    SAMPLE_RELRO,
    SAMPLE_STACK,
    SAMPLE_NOTE,
    SAMPLE_HEADERS,
};

constexpr size_t ELF_SAMPLE_BYTES = 0x3180;
constexpr uint64_t ELF_SAMPLE_ENTRY = 0x1800;

struct elf_sample { // the start of the file
    Elf64_Ehdr file;
    Elf64_Phdr programs[SAMPLE_HEADERS];
    Elf64_Nhdr note;
    char note_name[8];
    uint32_t note_version;
};

static inline Elf64_Phdr elf_sample_segment(uint32_t type, uint32_t flags, uint64_t offset,
                                            uint64_t address, uint64_t file_bytes,
                                            uint64_t memory_bytes)
{
    return (Elf64_Phdr){.p_type = type,
                        .p_flags = flags,
                        .p_offset = offset,
                        .p_vaddr = address,
                        .p_filesz = file_bytes,
                        .p_memsz = memory_bytes,
                        .p_align = 0x1000};
}

// Writes the program into ELF_SAMPLE_BYTES of zeroed, 8-byte aligned memory.
static inline void elf_sample_write(struct elf_sample *elf)
{
    elf->file = (Elf64_Ehdr){
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = ELF_SAMPLE_ENTRY,
        .e_phoff = sizeof elf->file,
        .e_ehsize = sizeof elf->file,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = SAMPLE_HEADERS,
    };
    Elf64_Phdr *program = elf->programs;
    program[SAMPLE_TEXT] = elf_sample_segment(PT_LOAD, PF_R | PF_X, 0, 0x1000, 0xf00, 0xf00);
    program[SAMPLE_RODATA] = elf_sample_segment(PT_LOAD, PF_R, 0x1200, 0x2200, 0x800, 0x800);
    program[SAMPLE_RELRO_DATA] =
        elf_sample_segment(PT_LOAD, PF_R | PF_W, 0x2000, 0x4000, 0x300, 0x300);
    program[SAMPLE_DATA] =
        elf_sample_segment(PT_LOAD, PF_R | PF_W, 0x3000, 0x6000, 0x180, 0x5000);
    program[SAMPLE_TLS] = elf_sample_segment(PT_TLS, PF_R, 0x2010, 0x4010, 0x20, 0x48);
    program[SAMPLE_TLS].p_align = 16;
    program[SAMPLE_RELRO] =
        elf_sample_segment(PT_GNU_RELRO, PF_R, 0x2000, 0x4000, 0x300, 0x1000);
    program[SAMPLE_STACK] = elf_sample_segment(PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0x40000);
    uint64_t note_at = offsetof(struct elf_sample, note);
    program[SAMPLE_NOTE] =
        elf_sample_segment(PT_NOTE, PF_R, note_at, 0x1000 + note_at, sizeof elf->note + 8 + 4,
                           sizeof elf->note + 8 + 4);
    program[SAMPLE_NOTE].p_align = 4;
    elf->note = (Elf64_Nhdr){.n_namesz = 6, .n_descsz = 4, .n_type = ELF_NOTE_CAPOS_TYPE};
    memcpy(elf->note_name, ELF_NOTE_CAPOS_NAME, 6);
    elf->note_version = ELF_NOTE_CAPOS_VERSION;
    memset((uint8_t *)elf + ELF_SAMPLE_ENTRY - 0x1000, 0xf4, 16); // hlt
}
