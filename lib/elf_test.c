// SPDX-License-Identifier: MIT
// Tests of lib/elf.c.
#include <lib/elf.h>

#include <stdlib.h>
#include <test/elf_sample.h>
#include <test/test.h>

constexpr size_t FILE_BYTES = ELF_SAMPLE_BYTES;

static struct elf_sample *elf;
static struct elf_image image;

// Makes the good program anew: in memory of its exact size, so that the sanitizer sees
// every read beyond it.
static void make_good(void)
{
    free(elf);
    elf = calloc(1, FILE_BYTES);
    elf_sample_write(elf);
}

static enum elf_error parse(void)
{
    memset(&image, 0x5a, sizeof image);
    return elf_parse(elf, FILE_BYTES, &image);
}

static void a_good_program_is_described_in_full(void)
{
    make_good();
    CHECK_EQ(parse(), ELF_OK);
    CHECK_EQ(image.entry, ELF_SAMPLE_ENTRY);
    CHECK_EQ(image.low_address, 0x1000);
    CHECK_EQ(image.high_address, 0xb000);
    CHECK_EQ(image.segment_count, 4);
    const struct elf_segment *text = &image.segments[0], *data = &image.segments[3];
    CHECK(text->readable && text->executable && !text->writable);
    CHECK_EQ(text->file_offset, 0);
    CHECK(data->readable && !data->executable && data->writable);
    CHECK_EQ(data->address, 0x6000);
    CHECK_EQ(data->file_offset, 0x3000);
    CHECK_EQ(data->file_bytes, 0x180);
    CHECK_EQ(data->memory_bytes, 0x5000);
    CHECK_EQ(image.tls_file.address, 0x4010);
    CHECK_EQ(image.tls_file.bytes, 0x20);
    CHECK_EQ(image.tls_bytes, 0x48);
    CHECK_EQ(image.tls_alignment, 16);
    CHECK_EQ(image.relro.address, 0x4000);
    CHECK_EQ(image.relro.bytes, 0x1000);
    CHECK_EQ(image.stack_bytes, 0x40000);
}

static void what_a_program_may_lack_is_zero(void)
{
    make_good();
    for (size_t i = SAMPLE_TLS; i <= SAMPLE_STACK; i++)
        elf->programs[i].p_type = PT_NULL;
    CHECK_EQ(parse(), ELF_OK);
    CHECK_EQ(image.tls_file.address | image.tls_file.bytes | image.tls_bytes, 0);
    CHECK_EQ(image.tls_alignment, 1);
    CHECK_EQ(image.relro.address | image.relro.bytes | image.stack_bytes, 0);
}

// Changes one thing in the good program: the answer is the error, and no image.
#define REFUSED(error, change)                     \
    do {                                           \
        make_good();                               \
        Elf64_Phdr *p = elf->programs;             \
        (void)p;                                   \
        change;                                    \
        CHECK_EQ(parse(), error);                  \
        CHECK_EQ(image.segment_count, 0x5a5a5a5a); \
    } while (0)

static void files_of_other_kinds_are_told_apart(void)
{
    REFUSED(ELF_NOT_ELF, elf->file.e_ident[0] = '#');
    REFUSED(ELF_WRONG_MACHINE, elf->file.e_ident[EI_CLASS] = ELFCLASS32);
    REFUSED(ELF_WRONG_MACHINE, elf->file.e_ident[EI_DATA] = ELFDATA2MSB);
    REFUSED(ELF_WRONG_MACHINE, elf->file.e_machine = EM_AARCH64);
    REFUSED(ELF_NOT_PIE, elf->file.e_type = ET_EXEC);
    REFUSED(ELF_WRONG_TYPE, elf->file.e_type = ET_REL);
    REFUSED(ELF_INTERPRETER, p[SAMPLE_STACK].p_type = PT_INTERP);
    REFUSED(ELF_BAD_HEADER, elf->file.e_version = 2);
    REFUSED(ELF_BAD_HEADER, elf->file.e_phentsize = 64);
    REFUSED(ELF_BAD_HEADER, elf->file.e_phnum = PN_XNUM);
    REFUSED(ELF_NO_SEGMENTS, elf->file.e_phnum = 0);
}

static void a_program_for_another_system_is_refused(void)
{
    REFUSED(ELF_NOT_CAPOS, p[SAMPLE_NOTE].p_type = PT_NULL);
    REFUSED(ELF_NOT_CAPOS, memcpy(elf->note_name, "Linux", 6));
    REFUSED(ELF_NOT_CAPOS, elf->note.n_namesz = 5);
    REFUSED(ELF_NOT_CAPOS, elf->note.n_namesz = UINT32_MAX);
    REFUSED(ELF_NOT_CAPOS, elf->note.n_type = 2);
    REFUSED(ELF_NOT_CAPOS, elf->note.n_descsz = 8);
    REFUSED(ELF_NOT_CAPOS, p[SAMPLE_NOTE].p_filesz = 11);
    REFUSED(ELF_WRONG_ABI, elf->note_version = 2);
    REFUSED(ELF_TRUNCATED, p[SAMPLE_NOTE].p_offset = FILE_BYTES);
    REFUSED(ELF_TRUNCATED, p[SAMPLE_NOTE].p_filesz = UINT64_MAX);
}

static void the_note_is_found_behind_another(void)
{
    make_good();
    // A note with an empty description before it, in the padding of the text segment.
    uint8_t *notes = (uint8_t *)elf + 0x800;
    static const Elf64_Nhdr other = {.n_namesz = 4, .n_descsz = 5, .n_type = 5};
    memcpy(notes, &other, sizeof other);
    memcpy(notes + 12, "GNU", 4);
    memcpy(notes + 24, &elf->note, 24);
    elf->programs[SAMPLE_NOTE].p_offset = 0x800;
    elf->programs[SAMPLE_NOTE].p_filesz = 48;
    CHECK_EQ(parse(), ELF_OK);
    elf->programs[SAMPLE_NOTE].p_filesz = 24;
    CHECK_EQ(parse(), ELF_NOT_CAPOS);
}

static void a_second_note_tells_of_the_operands(void)
{
    make_good();
    CHECK_EQ(elf_operands(elf, FILE_BYTES), 0);
    uint8_t *notes = (uint8_t *)elf + 0x800;
    memcpy(notes, &elf->note, 24);
    memcpy(notes + 24, &elf->note, 24);
    ((Elf64_Nhdr *)(notes + 24))->n_type = ELF_NOTE_CAPOS_OPERANDS;
    *(uint32_t *)(notes + 44) = 5;
    elf->programs[SAMPLE_NOTE].p_offset = 0x800;
    elf->programs[SAMPLE_NOTE].p_filesz = 48;
    CHECK_EQ(parse(), ELF_OK);
    CHECK_EQ(elf_operands(elf, FILE_BYTES), 5);
    CHECK_EQ(elf_operands(elf, 0x840), 0); // the file is cut
    elf->programs[SAMPLE_NOTE].p_filesz = 24;
    CHECK_EQ(elf_operands(elf, FILE_BYTES), 0);
}

static void impossible_segments_are_refused(void)
{
    REFUSED(ELF_WRITABLE_EXECUTABLE, p[SAMPLE_TEXT].p_flags |= PF_W);
    REFUSED(ELF_WRITABLE_EXECUTABLE, p[SAMPLE_STACK].p_flags |= PF_X);
    REFUSED(ELF_MISALIGNED_SEGMENT, p[SAMPLE_DATA].p_vaddr += 8);
    REFUSED(ELF_BAD_SEGMENT, p[SAMPLE_DATA].p_memsz = 0x17f);
    REFUSED(ELF_BAD_SEGMENT, p[SAMPLE_DATA].p_memsz = UINT64_MAX);
    REFUSED(ELF_BAD_SEGMENT, p[SAMPLE_DATA].p_vaddr = UINT64_MAX - 0xfff);
    REFUSED(ELF_BAD_SEGMENT, p[SAMPLE_DATA].p_offset = UINT64_MAX - 0xfff);
    REFUSED(ELF_TRUNCATED, p[SAMPLE_DATA].p_filesz++);
    REFUSED(ELF_TRUNCATED, p[SAMPLE_DATA].p_offset = FILE_BYTES + 1);
    REFUSED(ELF_TOO_LARGE, p[SAMPLE_DATA].p_memsz = ELF_SPAN_BYTES_MAX);
    REFUSED(ELF_UNSORTED_SEGMENTS, p[SAMPLE_DATA].p_vaddr = 0x4000);
    REFUSED(ELF_UNSORTED_SEGMENTS, p[SAMPLE_RELRO_DATA].p_memsz = 0x2001);
    REFUSED(ELF_UNSORTED_SEGMENTS, p[SAMPLE_TEXT].p_memsz = 0x1001);
    REFUSED(ELF_UNSORTED_SEGMENTS, p[SAMPLE_TEXT].p_vaddr = 0x8000);
}

static void references_outside_the_segments_are_refused(void)
{
    REFUSED(ELF_BAD_ENTRY, elf->file.e_entry = 0);
    REFUSED(ELF_BAD_ENTRY, elf->file.e_entry = 0x6000);
    REFUSED(ELF_BAD_ENTRY, elf->file.e_entry = 0x1f00);
    REFUSED(ELF_BAD_ENTRY, elf->file.e_entry = UINT64_MAX);
    REFUSED(ELF_BAD_TLS, p[SAMPLE_TLS].p_vaddr = 0x42f0);
    REFUSED(ELF_BAD_TLS, p[SAMPLE_TLS].p_vaddr = UINT64_MAX);
    REFUSED(ELF_BAD_TLS, p[SAMPLE_TLS].p_filesz = 0x49);
    REFUSED(ELF_BAD_TLS, p[SAMPLE_TLS].p_memsz = UINT64_MAX);
    REFUSED(ELF_BAD_TLS, p[SAMPLE_TLS].p_align = 24);
    REFUSED(ELF_BAD_TLS, p[SAMPLE_TLS].p_align = 8192);
    REFUSED(ELF_BAD_TLS, p[SAMPLE_STACK] = p[SAMPLE_TLS]);
    REFUSED(ELF_BAD_RELRO, p[SAMPLE_RELRO].p_vaddr = 0x1000);
    REFUSED(ELF_BAD_RELRO, p[SAMPLE_RELRO].p_memsz = 0x1001);
    REFUSED(ELF_BAD_RELRO, p[SAMPLE_RELRO].p_memsz = UINT64_MAX);
    REFUSED(ELF_BAD_RELRO, p[SAMPLE_RELRO].p_vaddr = UINT64_MAX);
}

static void empty_segments_are_left_out_and_too_many_are_refused(void)
{
    make_good();
    uint8_t *table = (uint8_t *)elf + 0x1000;
    memcpy(table, elf->programs, sizeof elf->programs);
    elf->file.e_phoff = 0x1000;
    Elf64_Phdr *more = (Elf64_Phdr *)(void *)(table + sizeof elf->programs);
    for (size_t i = 0; i < 20; i++)
        more[i] = elf_sample_segment(PT_LOAD, PF_R, 0, 0x10000 + i * 0x1000, 0, i < 12 ? 1 : 0);
    elf->file.e_phnum = SAMPLE_HEADERS + 20;
    CHECK_EQ(parse(), ELF_OK);
    CHECK_EQ(image.segment_count, ELF_SEGMENTS_MAX);
    more[12].p_memsz = 1;
    CHECK_EQ(parse(), ELF_TOO_MANY_SEGMENTS);
}

static void every_cut_is_refused(void)
{
    make_good();
    for (size_t size = 0; size < FILE_BYTES; size++) {
        void *cut = malloc(size == 0 ? 1 : size);
        memcpy(cut, elf, size);
        enum elf_error expected = size < 4 ? ELF_NOT_ELF : ELF_TRUNCATED;
        CHECK_EQ(elf_parse(cut, size, &image), expected);
        free(cut);
    }
    REFUSED(ELF_TRUNCATED, elf->file.e_phoff = UINT64_MAX - 60);
    REFUSED(ELF_TRUNCATED, elf->file.e_phoff = FILE_BYTES - 55);
}

static void an_unaligned_file_is_read(void)
{
    make_good();
    uint8_t *shifted = malloc(FILE_BYTES + 1);
    memcpy(shifted + 1, elf, FILE_BYTES);
    CHECK_EQ(elf_parse(shifted + 1, FILE_BYTES, &image), ELF_OK);
    free(shifted);
}

static void each_error_has_its_own_text(void)
{
    for (unsigned i = 0; i < ELF_ERROR_COUNT; i++) {
        CHECK(elf_error_text((enum elf_error)i) != nullptr);
        for (unsigned j = 0; j < i; j++)
            CHECK(strcmp(elf_error_text((enum elf_error)i),
                         elf_error_text((enum elf_error)j)) != 0);
    }
}

int main(void)
{
    RUN(a_good_program_is_described_in_full);
    RUN(what_a_program_may_lack_is_zero);
    RUN(files_of_other_kinds_are_told_apart);
    RUN(a_program_for_another_system_is_refused);
    RUN(the_note_is_found_behind_another);
    RUN(a_second_note_tells_of_the_operands);
    RUN(impossible_segments_are_refused);
    RUN(references_outside_the_segments_are_refused);
    RUN(empty_segments_are_left_out_and_too_many_are_refused);
    RUN(every_cut_is_refused);
    RUN(an_unaligned_file_is_read);
    RUN(each_error_has_its_own_text);
    free(elf);
    return test_report();
}
