// SPDX-License-Identifier: MIT
// Blobs as a whole; see <capos/store.h>.
#include <capos/store.h>

#include <capos/panic.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/store.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>
#include <string.h>

constexpr size_t PAGE = 4096;

static uint32_t ended(enum status status, enum file_outcome outcome)
{
    return status == STATUS_OK ? (uint32_t)outcome : CAPOS_FILE_STATUS + (uint32_t)status;
}

// ---- Putting -----------------------------------------------------------------------

// A memory object with these bytes at its beginning.
static enum status memory_of(const void *data, size_t byte_count, memory_object_cap *out_object)
{
    memory_budget_cap budget;
    virtual_memory_cap memory;
    memory_object_cap object;
    uint64_t address;
    size_t size = (byte_count + PAGE - 1) & ~(PAGE - 1);
    enum status status = memory_budget_cap_find("budget", &budget);
    if (status == STATUS_OK)
        status = virtual_memory_cap_find("memory", &memory);
    if (status == STATUS_OK)
        status = memory_budget_create_memory_object(budget, size, &object);
    if (status != STATUS_OK)
        return status;
    status = virtual_memory_map(memory, object, 0, size, 0, PROTECTION_READ_WRITE, &address);
    if (status != STATUS_OK) {
        memory_object_cap_release(&object);
        return status;
    }
    memcpy((void *)address, data, byte_count);
    if (virtual_memory_unmap(memory, address, size) != STATUS_OK)
        capos_panic("store: memory of a blob can't be unmapped");
    *out_object = object;
    return STATUS_OK;
}

uint32_t capos_store_put(store_cap store, const void *data, size_t byte_count,
                         uint8_t out_hash[CAPOS_HASH_BYTES])
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    memory_object_cap object;
    size_t hash_bytes = 0;
    enum status status;
    if (byte_count <= STORE_PUT_PARAMS_DATA_BYTES_MAX) {
        status = store_put(store, data, byte_count, &outcome, out_hash, CAPOS_HASH_BYTES,
                           &hash_bytes, nullptr);
    } else {
        status = memory_of(data, byte_count, &object);
        if (status != STATUS_OK)
            return ended(status, outcome);
        status = store_put_memory(store, object, byte_count, &outcome, out_hash,
                                  CAPOS_HASH_BYTES, &hash_bytes, nullptr);
        memory_object_cap_release(&object);
    }
    // A service that says nothing is one that lies.
    return status == STATUS_OK && outcome == FILE_OUTCOME_OK && hash_bytes != CAPOS_HASH_BYTES
               ? ended(STATUS_BAD_MESSAGE, outcome)
               : ended(status, outcome);
}

// ---- Getting -----------------------------------------------------------------------

uint32_t capos_store_open(store_cap store, const uint8_t hash[CAPOS_HASH_BYTES],
                          struct capos_file *out_file)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint64_t size_bytes;
    read_only_file_cap file;
    uint32_t error =
        ended(store_open(store, hash, CAPOS_HASH_BYTES, &outcome, &size_bytes, &file), outcome);
    if (error != 0)
        return error;
    capos_file_init(out_file, file.id, true);
    out_file->size_bytes = size_bytes;
    return 0;
}

uint32_t capos_store_get(store_cap store, const uint8_t hash[CAPOS_HASH_BYTES],
                         size_t bytes_max, void **out_data, size_t *out_bytes)
{
    struct capos_file file;
    size_t read = 0;
    uint32_t error = capos_store_open(store, hash, &file);
    if (error != 0)
        return error;
    char *data = nullptr;
    if (file.size_bytes > bytes_max || file.size_bytes == SIZE_MAX)
        error = FILE_OUTCOME_TOO_LARGE;
    else if ((data = malloc((size_t)file.size_bytes + 1)) == nullptr)
        error = ended(STATUS_OVERLOADED, FILE_OUTCOME_OK);
    else
        error = capos_file_read(&file, 0, data, (size_t)file.size_bytes, &read);
    capos_file_close(&file);
    if (error != 0) {
        free(data);
        return error;
    }
    data[read] = '\0';
    *out_data = data;
    *out_bytes = read;
    return 0;
}

// ---- Hashes ------------------------------------------------------------------------

static const char digits[] = "0123456789abcdef";

void capos_hash_print(const uint8_t hash[CAPOS_HASH_BYTES], char text[CAPOS_HASH_TEXT_BYTES])
{
    for (size_t i = 0; i < CAPOS_HASH_BYTES; i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
    text[2 * CAPOS_HASH_BYTES] = '\0';
}

bool capos_hash_parse(const char *text, uint8_t out_hash[CAPOS_HASH_BYTES])
{
    if (strlen(text) != 2 * CAPOS_HASH_BYTES || strspn(text, digits) != strlen(text))
        return false;
    for (size_t i = 0; i < CAPOS_HASH_BYTES; i++)
        out_hash[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 |
                                (strchr(digits, text[2 * i + 1]) - digits));
    return true;
}
