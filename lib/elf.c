// SPDX-License-Identifier: MIT
// The ELF parser of every loader of capOS: the kernel (for init), init, libcapos, and
// the host's `capos`.
//
// One pass over the program headers collects, then checks that need the whole follow.
// Formats: System V ABI, "Object Files" and "Program Loading"; x86-64 psABI, chapter 4;
// GNU_RELRO and GNU_STACK from the Linux Standard Base, section 10.3.
//
// Invariants:
//  1. The file is hostile: no number of it is used in a sum before the sum is checked,
//     and each is read once, into a local copy.
//  2. Addresses and file offsets that are kept are below 2^62, so sums of two of them
//     don't overflow.
//
// Not here: sections, symbols, relocation (libcapos relocates itself).
// Tested in lib/elf_test.c, fuzzed in tests/fuzz/fuzz_elf.c.
#include <lib/elf.h>

constexpr uint64_t ELF_PAGE_BYTES = 4096;
constexpr uint64_t ELF_NUMBER_MAX = (UINT64_C(1) << 62) - 1;
constexpr uint16_t ELF_HEADERS_MAX = 128;

enum { // e_ident, e_type, e_machine
    EI_CLASS = 4,
    EI_DATA = 5,
    EI_VERSION = 6,
    EI_NIDENT = 16,
    ELFCLASS64 = 2,
    ELFDATA2LSB = 1,
    EV_CURRENT = 1,
    ET_EXEC = 2,
    ET_DYN = 3,
    EM_X86_64 = 62,
};

enum { // p_type, p_flags
    PT_LOAD = 1,
    PT_INTERP = 3,
    PT_NOTE = 4,
    PT_TLS = 7,
    PT_GNU_STACK = 0x6474e551,
    PT_GNU_RELRO = 0x6474e552,
    PF_X = 1,
    PF_W = 2,
    PF_R = 4,
};

struct elf_file_header {
    uint8_t e_ident[EI_NIDENT];
    uint16_t e_type, e_machine;
    uint32_t e_version;
    uint64_t e_entry, e_phoff, e_shoff;
    uint32_t e_flags;
    uint16_t e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx;
};
static_assert(sizeof(struct elf_file_header) == 64);

struct elf_program_header {
    uint32_t p_type, p_flags;
    uint64_t p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
};
static_assert(sizeof(struct elf_program_header) == 56);

struct elf_note_header {
    uint32_t n_namesz, n_descsz, n_type;
};
static_assert(sizeof(struct elf_note_header) == 12);

struct elf_file {
    const uint8_t *bytes;
    uint64_t size;
};

// Copies a record out of the file; false if it isn't wholly in it.
static bool read_at(const struct elf_file *file, uint64_t offset, void *to, uint64_t size)
{
    if (offset > file->size || size > file->size - offset)
        return false;
    __builtin_memcpy(to, file->bytes + offset, size);
    return true;
}

// The number may be UINT64_MAX: then the result is a page address all the same.
static uint64_t page_down(uint64_t number)
{
    return number & ~(ELF_PAGE_BYTES - 1);
}

// The number is at most 2 * ELF_NUMBER_MAX.
static uint64_t page_up(uint64_t number)
{
    return page_down(number + ELF_PAGE_BYTES - 1);
}

static enum elf_error check_file_header(const struct elf_file_header *header)
{
    const uint8_t *ident = header->e_ident;
    if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != EM_X86_64)
        return ELF_WRONG_MACHINE;
    if (header->e_type == ET_EXEC)
        return ELF_NOT_PIE;
    if (header->e_type != ET_DYN)
        return ELF_WRONG_TYPE;
    if (ident[EI_VERSION] != EV_CURRENT || header->e_version != EV_CURRENT ||
        header->e_phentsize != sizeof(struct elf_program_header) ||
        header->e_phnum > ELF_HEADERS_MAX)
        return ELF_BAD_HEADER;
    return ELF_OK;
}

// Adds a PT_LOAD segment to the image.
static enum elf_error add_segment(const struct elf_file *file,
                                  const struct elf_program_header *header,
                                  struct elf_image *image)
{
    if (header->p_memsz == 0 && header->p_filesz == 0)
        return ELF_OK; // some linkers leave empty ones
    if (header->p_filesz > header->p_memsz || header->p_vaddr > ELF_NUMBER_MAX ||
        header->p_memsz > ELF_NUMBER_MAX || header->p_offset > ELF_NUMBER_MAX)
        return ELF_BAD_SEGMENT;
    if (header->p_offset > file->size || header->p_filesz > file->size - header->p_offset)
        return ELF_TRUNCATED;
    if (header->p_offset % ELF_PAGE_BYTES != header->p_vaddr % ELF_PAGE_BYTES)
        return ELF_MISALIGNED_SEGMENT;
    if ((header->p_flags & PF_W) != 0 && (header->p_flags & PF_X) != 0)
        return ELF_WRITABLE_EXECUTABLE;
    if (image->segment_count == ELF_SEGMENTS_MAX)
        return ELF_TOO_MANY_SEGMENTS;
    if (image->segment_count == 0)
        image->low_address = page_down(header->p_vaddr);
    else if (page_down(header->p_vaddr) < image->high_address)
        return ELF_UNSORTED_SEGMENTS;
    image->high_address = page_up(header->p_vaddr + header->p_memsz);
    if (image->high_address - image->low_address > ELF_SPAN_BYTES_MAX)
        return ELF_TOO_LARGE;
    image->segments[image->segment_count++] = (struct elf_segment){
        .address = header->p_vaddr,
        .file_offset = header->p_offset,
        .file_bytes = header->p_filesz,
        .memory_bytes = header->p_memsz,
        .readable = (header->p_flags & PF_R) != 0,
        .writable = (header->p_flags & PF_W) != 0,
        .executable = (header->p_flags & PF_X) != 0,
    };
    return ELF_OK;
}

// Whether `range` lies within the bytes of a segment that come from the file.
static bool is_in_file_part(const struct elf_range *range, const struct elf_segment *segment)
{
    uint64_t offset = range->address - segment->address;
    return range->address >= segment->address && offset <= segment->file_bytes &&
           range->bytes <= segment->file_bytes - offset;
}

// Whether `range` lies within the pages of a segment: a linker rounds RELRO up.
static bool is_in_pages(const struct elf_range *range, const struct elf_segment *segment)
{
    uint64_t end = page_up(segment->address + segment->memory_bytes);
    return range->address >= segment->address && range->address <= end &&
           range->bytes <= end - range->address;
}

static enum elf_error set_tls(const struct elf_program_header *header, struct elf_image *image)
{
    uint64_t alignment = header->p_align == 0 ? 1 : header->p_align;
    if (header->p_filesz > header->p_memsz || header->p_memsz > ELF_SPAN_BYTES_MAX ||
        (alignment & (alignment - 1)) != 0 || alignment > ELF_TLS_ALIGNMENT_MAX ||
        image->tls_bytes != 0)
        return ELF_BAD_TLS;
    if (header->p_filesz != 0)
        image->tls_file = (struct elf_range){header->p_vaddr, header->p_filesz};
    image->tls_bytes = header->p_memsz;
    image->tls_alignment = alignment;
    return ELF_OK;
}

// Reads the word of a capOS note of a type; false if the note is another one.
static bool read_note(const struct elf_file *file, const struct elf_note_header *note,
                      uint32_t type, uint64_t name_at, uint64_t desc_at, uint32_t *out_word)
{
    char name[sizeof ELF_NOTE_CAPOS_NAME];
    return note->n_namesz == sizeof name && note->n_descsz == sizeof *out_word &&
           note->n_type == type && read_at(file, name_at, name, sizeof name) &&
           __builtin_memcmp(name, ELF_NOTE_CAPOS_NAME, sizeof name) == 0 &&
           read_at(file, desc_at, out_word, sizeof *out_word);
}

// Looks for a capOS note in a PT_NOTE segment, which lies in the file.
static bool find_note(const struct elf_file *file, const struct elf_program_header *header,
                      uint32_t type, uint32_t *out_word)
{
    uint64_t align = header->p_align == 8 ? 8 : 4;
    uint64_t at = header->p_offset, end = at + header->p_filesz;
    struct elf_note_header note;
    while (end - at >= sizeof note && read_at(file, at, &note, sizeof note)) {
        // Sizes are 32 bits wide and offsets at most the file's size: no overflow.
        uint64_t name_at = at + sizeof note;
        uint64_t desc_at = (name_at + note.n_namesz + align - 1) & ~(align - 1);
        uint64_t next = (desc_at + note.n_descsz + align - 1) & ~(align - 1);
        if (read_note(file, &note, type, name_at, desc_at, out_word))
            return true;
        if (next > end)
            break;
        at = next;
    }
    return false;
}

static enum elf_error check_version(const struct elf_file *file,
                                    const struct elf_program_header *header)
{
    uint32_t version;
    if (header->p_offset > file->size || header->p_filesz > file->size - header->p_offset)
        return ELF_TRUNCATED;
    if (!find_note(file, header, ELF_NOTE_CAPOS_TYPE, &version))
        return ELF_NOT_CAPOS;
    return version == ELF_NOTE_CAPOS_VERSION ? ELF_OK : ELF_WRONG_ABI;
}

// Takes one program header into the image; *note becomes the best answer so far.
static enum elf_error take_program_header(const struct elf_file *file,
                                          const struct elf_program_header *header,
                                          struct elf_image *image, enum elf_error *note)
{
    switch (header->p_type) {
    case PT_LOAD:
        return add_segment(file, header, image);
    case PT_INTERP:
        return ELF_INTERPRETER;
    case PT_TLS:
        return set_tls(header, image);
    case PT_NOTE:
        if (*note == ELF_NOT_CAPOS)
            *note = check_version(file, header);
        return *note == ELF_TRUNCATED ? ELF_TRUNCATED : ELF_OK;
    case PT_GNU_RELRO:
        if (header->p_memsz != 0)
            image->relro = (struct elf_range){header->p_vaddr, header->p_memsz};
        return ELF_OK;
    case PT_GNU_STACK:
        if ((header->p_flags & PF_X) != 0)
            return ELF_WRITABLE_EXECUTABLE;
        image->stack_bytes =
            header->p_memsz <= ELF_SPAN_BYTES_MAX ? header->p_memsz : ELF_SPAN_BYTES_MAX;
        return ELF_OK;
    default:
        return ELF_OK;
    }
}

// Checks what refers to segments, once all of them are known.
static enum elf_error check_references(const struct elf_image *image)
{
    bool entry_found = false;
    bool tls_found = image->tls_file.bytes == 0;
    bool relro_found = image->relro.bytes == 0;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        const struct elf_range entry = {image->entry, 1};
        entry_found |= segment->executable && is_in_file_part(&entry, segment);
        tls_found |= is_in_file_part(&image->tls_file, segment);
        relro_found |= segment->writable && is_in_pages(&image->relro, segment);
    }
    return !entry_found   ? ELF_BAD_ENTRY
           : !tls_found   ? ELF_BAD_TLS
           : !relro_found ? ELF_BAD_RELRO
                          : ELF_OK;
}

enum elf_error elf_parse(const void *bytes, uint64_t size_bytes, struct elf_image *out_image)
{
    const struct elf_file file = {bytes, size_bytes};
    struct elf_file_header header;
    static const uint8_t magic[] = {0x7f, 'E', 'L', 'F'};
    if (size_bytes < sizeof magic || __builtin_memcmp(bytes, magic, sizeof magic) != 0)
        return ELF_NOT_ELF;
    if (!read_at(&file, 0, &header, sizeof header))
        return ELF_TRUNCATED;
    enum elf_error error = check_file_header(&header);
    if (error != ELF_OK)
        return error;

    struct elf_image image = {.entry = header.e_entry, .tls_alignment = 1};
    enum elf_error note = ELF_NOT_CAPOS;
    for (uint16_t i = 0; i < header.e_phnum; i++) {
        struct elf_program_header program_header;
        uint64_t offset;
        if (__builtin_add_overflow(header.e_phoff, i * sizeof program_header, &offset) ||
            !read_at(&file, offset, &program_header, sizeof program_header))
            return ELF_TRUNCATED;
        error = take_program_header(&file, &program_header, &image, &note);
        if (error != ELF_OK)
            return error;
    }
    if (image.segment_count == 0)
        return ELF_NO_SEGMENTS;
    error = check_references(&image);
    if (error == ELF_OK)
        error = note;
    if (error == ELF_OK)
        *out_image = image;
    return error;
}

uint32_t elf_operands(const void *bytes, uint64_t size_bytes)
{
    const struct elf_file file = {bytes, size_bytes};
    struct elf_file_header header;
    struct elf_image image;
    uint32_t operands;
    if (elf_parse(bytes, size_bytes, &image) != ELF_OK ||
        !read_at(&file, 0, &header, sizeof header))
        return 0;
    for (uint16_t i = 0; i < header.e_phnum; i++) {
        struct elf_program_header program_header;
        // Behind the note that elf_parse took it didn't look at others.
        if (read_at(&file, header.e_phoff + i * sizeof program_header, &program_header,
                    sizeof program_header) &&
            program_header.p_type == PT_NOTE && program_header.p_offset <= size_bytes &&
            program_header.p_filesz <= size_bytes - program_header.p_offset &&
            find_note(&file, &program_header, ELF_NOTE_CAPOS_OPERANDS, &operands))
            return operands;
    }
    return 0;
}

const char *elf_error_text(enum elf_error error)
{
    static const char *const texts[ELF_ERROR_COUNT] = {
        [ELF_OK] = "no error",
        [ELF_TRUNCATED] = "the file ends before what its headers describe",
        [ELF_NOT_ELF] = "not an ELF file",
        [ELF_WRONG_MACHINE] = "not a program for a 64-bit x86 machine",
        [ELF_NOT_PIE] = "linked to a fixed address (build it with -fPIE and -static-pie)",
        [ELF_WRONG_TYPE] = "an ELF file, but not a program",
        [ELF_BAD_HEADER] = "malformed ELF header",
        [ELF_INTERPRETER] = "dynamically linked (build it with -static-pie)",
        [ELF_NO_SEGMENTS] = "nothing in it to load",
        [ELF_TOO_MANY_SEGMENTS] = "more than 16 segments to load",
        [ELF_BAD_SEGMENT] = "a segment's size is impossible",
        [ELF_MISALIGNED_SEGMENT] = "a segment's address and file offset differ modulo 4096",
        [ELF_UNSORTED_SEGMENTS] = "segments overlap, share a page or are out of order",
        [ELF_WRITABLE_EXECUTABLE] = "memory both writable and executable is asked for",
        [ELF_TOO_LARGE] = "spans more than 64 GiB",
        [ELF_BAD_ENTRY] = "the entry point isn't in an executable segment",
        [ELF_BAD_TLS] = "malformed thread-local segment",
        [ELF_BAD_RELRO] = "the GNU_RELRO range isn't in a writable segment",
        [ELF_NOT_CAPOS] = "not a capOS program (it has no capOS note)",
        [ELF_WRONG_ABI] = "a capOS program of another ABI version",
    };
    return (unsigned)error < ELF_ERROR_COUNT ? texts[error] : "unknown error";
}
