// SPDX-License-Identifier: MIT
// Fuzzes the ELF parser: whatever it accepts keeps every promise of lib/elf.h.
//
// An input is read twice: as a file, and as a list of changes to a good program, because
// a random file hardly ever gets beyond the first checks.
#include <lib/elf.h>

#include <stdlib.h>
#include <string.h>
#include <test/elf_sample.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool in_span(const struct elf_image *image, uint64_t address, uint64_t bytes)
{
    return address >= image->low_address && address <= image->high_address &&
           bytes <= image->high_address - address;
}

static void check_segment(const struct elf_image *image, uint32_t index, const uint8_t *file,
                          uint64_t file_size)
{
    const struct elf_segment *segment = &image->segments[index];
    require(segment->memory_bytes != 0 && segment->file_bytes <= segment->memory_bytes);
    require(in_span(image, segment->address, segment->memory_bytes));
    require(segment->address % 4096 == segment->file_offset % 4096);
    require(!segment->writable || !segment->executable);
    require(segment->file_offset <= file_size &&
            segment->file_bytes <= file_size - segment->file_offset);
    for (uint64_t i = 0; i < segment->file_bytes; i++) // every byte of it can be read
        (void)*(const volatile uint8_t *)&file[segment->file_offset + i];
    if (index > 0) {
        const struct elf_segment *before = segment - 1;
        uint64_t end = (before->address + before->memory_bytes + 4095) & ~(uint64_t)4095;
        require(end <= (segment->address & ~(uint64_t)4095));
    }
}

static void check_image(const struct elf_image *image, const uint8_t *file, uint64_t size)
{
    require(image->segment_count >= 1 && image->segment_count <= ELF_SEGMENTS_MAX);
    require(image->low_address % 4096 == 0 && image->high_address % 4096 == 0);
    require(image->low_address < image->high_address);
    require(image->high_address - image->low_address <= ELF_SPAN_BYTES_MAX);
    require(in_span(image, image->entry, 1));
    for (uint32_t i = 0; i < image->segment_count; i++)
        check_segment(image, i, file, size);
    require(image->tls_file.bytes <= image->tls_bytes);
    require(image->tls_file.bytes == 0 ||
            in_span(image, image->tls_file.address, image->tls_file.bytes));
    require(image->relro.bytes == 0 ||
            in_span(image, image->relro.address, image->relro.bytes));
    uint64_t alignment = image->tls_alignment;
    require(alignment != 0 && (alignment & (alignment - 1)) == 0);
    require(alignment <= ELF_TLS_ALIGNMENT_MAX && image->stack_bytes <= ELF_SPAN_BYTES_MAX);
}

static void parse(const uint8_t *file, size_t size)
{
    struct elf_image image;
    enum elf_error error = elf_parse(file, size, &image);
    require(error < ELF_ERROR_COUNT && elf_error_text(error)[0] != '\0');
    if (error == ELF_OK)
        check_image(&image, file, size);
}

struct change {
    uint16_t offset;
    uint8_t size; // 0 cuts the file at the offset
    uint8_t bytes[8];
};

static void parse_changed(const uint8_t *data, size_t size)
{
    uint8_t *file = calloc(1, ELF_SAMPLE_BYTES);
    size_t file_bytes = ELF_SAMPLE_BYTES;
    elf_sample_write((struct elf_sample *)(void *)file);
    struct change change;
    for (; size >= sizeof change; data += sizeof change, size -= sizeof change) {
        memcpy(&change, data, sizeof change);
        size_t offset = change.offset % sizeof(struct elf_sample);
        if (change.size == 0)
            file_bytes = change.offset % (ELF_SAMPLE_BYTES + 1);
        else
            memcpy(file + offset, change.bytes, change.size % (sizeof change.bytes + 1));
    }
    // Of exactly that size, so that the sanitizer sees a read beyond the cut.
    file = realloc(file, file_bytes == 0 ? 1 : file_bytes);
    parse(file, file_bytes);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size);
    parse_changed(data, size);
    return 0;
}
