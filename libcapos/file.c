// SPDX-License-Identifier: MIT
// Files for C programs, over the generated clients of Directory and File.
//
// A pair of interfaces, wide and narrow, has the same methods under the same numbers, but each
// call names its interface; so whatever both can do is here twice, in one expression.
#include <capos/file.h>

#include <capos/capset.h>
#include <capos/panic.h>

#include <gen/capos/directory.h>
#include <gen/capos/file.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>
#include <gen/interfaces.h>
#include <lib/path.h>
#include <stdlib.h>
#include <string.h>

static_assert(CAPOS_PATH_BYTES_MAX == PATH_BYTES_MAX);

constexpr uint32_t READ_BYTES = FILE_READ_RESULTS_DATA_BYTES_MAX;
constexpr uint32_t WRITE_BYTES = FILE_WRITE_PARAMS_DATA_BYTES_MAX;
constexpr uint32_t WINDOW_BYTES = 65536;
constexpr uint32_t WINDOW_LARGE_BYTES = 8 * WINDOW_BYTES;
constexpr uint64_t LARGE_BYTES = 8 * WINDOW_LARGE_BYTES; // of a file that is worth it
constexpr uint32_t BUFFER_BYTES_MAX = 4 << 20;           // of File.createBuffer
constexpr uint64_t PAGE = 4096;
constexpr size_t WINDOW_WORTH_BYTES = 4 * READ_BYTES; // less goes in messages
constexpr uint16_t MODE_FILE = 0644, MODE_DIRECTORY = 0755;

const char *capos_file_error_text(uint32_t error)
{
    static const char *const texts[] = {
        [FILE_OUTCOME_OK] = "no error",
        [FILE_OUTCOME_NOT_FOUND] = "no such file or directory",
        [FILE_OUTCOME_EXISTS] = "it exists already",
        [FILE_OUTCOME_NOT_DIRECTORY] = "not a directory",
        [FILE_OUTCOME_IS_DIRECTORY] = "is a directory",
        [FILE_OUTCOME_NOT_EMPTY] = "the directory isn't empty",
        [FILE_OUTCOME_SYMLINK] = "is a symlink",
        [FILE_OUTCOME_TOO_MANY_SYMLINKS] = "too many symlinks on the way",
        [FILE_OUTCOME_OUTSIDE] = "leads out of the directory that was granted",
        [FILE_OUTCOME_READ_ONLY] = "read-only",
        [FILE_OUTCOME_NO_ACCESS] = "access was refused",
        [FILE_OUTCOME_NO_SPACE] = "no space left",
        [FILE_OUTCOME_QUOTA_EXCEEDED] = "the quota is exceeded",
        [FILE_OUTCOME_TOO_LARGE] = "too large",
        [FILE_OUTCOME_INPUT_OUTPUT] = "input/output error",
        [FILE_OUTCOME_CORRUPTED] = "what was read is corrupted",
        [FILE_OUTCOME_INTO_ITSELF] = "a directory can't be moved into itself",
        [FILE_OUTCOME_OTHER_SERVICE] = "not in the same file system",
        [FILE_OUTCOME_NOT_SUPPORTED] = "not supported there",
        [FILE_OUTCOME_BUSY] = "busy",
    };
    static_assert(sizeof texts / sizeof texts[0] == FILE_OUTCOME_COUNT);
    if (error < FILE_OUTCOME_COUNT)
        return texts[error];
    enum status status = (enum status)(error - CAPOS_FILE_STATUS);
    if (status >= STATUS_FAILED && status <= STATUS_INVALID_ARGUMENT)
        return capos_last_exception()->reason;
    return status_name(status);
}

static uint32_t failed(enum status status)
{
    return CAPOS_FILE_STATUS + (uint32_t)status;
}

static uint32_t ended(enum status status, const enum file_outcome *outcome)
{
    return status == STATUS_OK ? (uint32_t)*outcome : failed(status);
}

// A call that writes to the variable `outcome`, which is read when it has ended.
#define ENDED(call) ended((call), &outcome)

// ---- Directories -------------------------------------------------------------------

uint32_t capos_directory_find(const char *name, struct capos_directory *out_directory)
{
    capos_cap_id id;
    enum status status = capos_find(name, INTERFACE_DIRECTORY, &id);
    bool read_only = status == STATUS_WRONG_INTERFACE;
    if (read_only)
        status = capos_find(name, INTERFACE_READ_ONLY_DIRECTORY, &id);
    if (status != STATUS_OK)
        return failed(status);
    *out_directory = (struct capos_directory){id, read_only};
    return 0;
}

uint32_t capos_directory_open(const struct capos_directory *from, const char *path,
                              struct capos_directory *out_directory)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    directory_cap wide = {};
    read_only_directory_cap narrow = {};
    uint32_t error = from->read_only
                         ? ENDED(read_only_directory_open_read_only_directory(
                               (read_only_directory_cap){from->id}, path, strlen(path), false,
                               &outcome, nullptr, &narrow))
                         : ENDED(directory_open_directory((directory_cap){from->id}, path,
                                                          strlen(path), false, false, 0,
                                                          &outcome, nullptr, nullptr, &wide));
    if (error == 0)
        *out_directory =
            (struct capos_directory){from->read_only ? narrow.id : wide.id, from->read_only};
    return error;
}

void capos_directory_close(struct capos_directory *directory)
{
    capos_release(directory->id);
    directory->id = 0;
}

// ---- Places ------------------------------------------------------------------------

// The first component becomes the grant.
static uint32_t place_resolve(struct capos_place *place)
{
    char *end = strchr(place->path, '/');
    size_t length = end == nullptr ? strlen(place->path) : (size_t)(end - place->path);
    for (uint32_t i = 0; i < capos_capset_count(); i++) {
        const struct capos_capset_entry *entry = capos_capset_at(i);
        if (strlen(entry->name) != length || memcmp(entry->name, place->path, length) != 0)
            continue;
        uint32_t error = capos_directory_find(entry->name, &place->directory);
        if (error != 0)
            return FILE_OUTCOME_NOT_FOUND;
        place->grant = entry->name;
        const char *rest = end == nullptr ? "" : end + 1;
        memmove(place->path, rest, strlen(rest) + 1);
        return 0;
    }
    return FILE_OUTCOME_NOT_FOUND;
}

static enum path_walk place_walk(struct capos_place *place, const char *typed)
{
    return path_walk(place->path,
                     (struct wire_data){(const uint8_t *)typed, (uint32_t)strlen(typed)});
}

uint32_t capos_place_find(const char *typed, struct capos_place *out_place)
{
    struct capos_place place = {};
    static_assert(sizeof place.path == PATH_BYTES_MAX + 1);
    const char *here = getenv("PWD");
    enum path_walk walked = here == nullptr ? PATH_WALKED : place_walk(&place, here);
    if (walked == PATH_WALKED)
        walked = place_walk(&place, typed);
    if (walked != PATH_WALKED)
        return walked == PATH_WALKED_OUT ? FILE_OUTCOME_OUTSIDE : FILE_OUTCOME_TOO_LARGE;
    if (place.path[0] != '\0') {
        uint32_t error = place_resolve(&place);
        if (error != 0)
            return error;
    }
    *out_place = place;
    return 0;
}

// ---- What is there -----------------------------------------------------------------

uint32_t capos_file_stat(const struct capos_directory *from, const char *path, bool follow,
                         struct directory_stat_results *out_stat)
{
    struct directory_stat_results stat = {};
    enum status status =
        from->read_only
            ? read_only_directory_stat((read_only_directory_cap){from->id}, path, strlen(path),
                                       !follow, &stat.outcome, &stat.kind, &stat.mode,
                                       &stat.link_count, &stat.inode, &stat.size_bytes,
                                       &stat.stored_bytes, &stat.version, &stat.modified_ns,
                                       &stat.changed_ns, &stat.accessed_ns, &stat.created_ns)
            : directory_stat((directory_cap){from->id}, path, strlen(path), !follow,
                             &stat.outcome, &stat.kind, &stat.mode, &stat.link_count,
                             &stat.inode, &stat.size_bytes, &stat.stored_bytes, &stat.version,
                             &stat.modified_ns, &stat.changed_ns, &stat.accessed_ns,
                             &stat.created_ns);
    if (status == STATUS_OK && stat.outcome == FILE_OUTCOME_OK)
        *out_stat = stat;
    return ended(status, &stat.outcome);
}

uint32_t capos_file_read_symlink(const struct capos_directory *from, const char *path,
                                 char target[CAPOS_PATH_BYTES_MAX + 1])
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    size_t bytes = 0;
    uint32_t error =
        from->read_only
            ? ENDED(read_only_directory_read_symlink((read_only_directory_cap){from->id}, path,
                                                     strlen(path), &outcome, target,
                                                     CAPOS_PATH_BYTES_MAX, &bytes))
            : ENDED(directory_read_symlink((directory_cap){from->id}, path, strlen(path),
                                           &outcome, target, CAPOS_PATH_BYTES_MAX, &bytes));
    target[bytes] = '\0';
    return error;
}

uint32_t capos_listing_open(const struct capos_directory *directory,
                            struct capos_listing *out_listing)
{
    void *buffer = malloc(DIRECTORY_LIST_RESULTS_BYTES_MAX);
    if (buffer == nullptr)
        return failed(STATUS_OVERLOADED);
    *out_listing = (struct capos_listing){.directory = *directory, .buffer = buffer};
    return 0;
}

static uint32_t listing_page(struct capos_listing *listing)
{
    const struct directory_list_params params = {
        .cookie = listing->cookie, .entries_max = DIRECTORY_LIST_RESULTS_ENTRIES_COUNT_MAX};
    struct read_only_directory_list_results narrow;
    listing->next = 0;
    if (!listing->directory.read_only)
        return ended(directory_list((directory_cap){listing->directory.id}, params.cookie,
                                    params.entries_max, listing->buffer,
                                    DIRECTORY_LIST_RESULTS_BYTES_MAX, &listing->page),
                     &listing->page.outcome);
    enum status status = read_only_directory_list(
        (read_only_directory_cap){listing->directory.id}, params.cookie, params.entries_max,
        listing->buffer, DIRECTORY_LIST_RESULTS_BYTES_MAX, &narrow);
    if (status == STATUS_OK)
        listing->page = (struct directory_list_results){
            .outcome = narrow.outcome, .end = narrow.end, .entries = narrow.entries};
    return ended(status, &listing->page.outcome);
}

uint32_t capos_listing_next(struct capos_listing *listing,
                            struct capos_listing_entry *out_entry)
{
    *out_entry = (struct capos_listing_entry){};
    if (listing->next == listing->page.entries.count) {
        if (listing->page.end)
            return 0;
        uint32_t error = listing_page(listing);
        if (error != 0 || listing->page.entries.count == 0)
            return error;
    }
    struct directory_entry entry;
    enum status status = directory_entry_at(&listing->page.entries, listing->next, &entry);
    if (status != STATUS_OK)
        return failed(status);
    listing->next++;
    listing->cookie = entry.cookie;
    memcpy(out_entry->name, entry.name.data, entry.name.size_bytes);
    out_entry->name_bytes = entry.name.size_bytes;
    out_entry->kind = entry.kind;
    out_entry->inode = entry.inode;
    return 0;
}

void capos_listing_close(struct capos_listing *listing)
{
    free(listing->buffer);
    *listing = (struct capos_listing){};
}

// ---- Changes -----------------------------------------------------------------------

uint32_t capos_directory_create(const struct capos_directory *from, const char *path)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (from->read_only)
        return FILE_OUTCOME_READ_ONLY;
    return ENDED(directory_create_directory((directory_cap){from->id}, path, strlen(path),
                                            MODE_DIRECTORY, &outcome));
}

uint32_t capos_file_remove(const struct capos_directory *from, const char *path,
                           enum directory_removal what)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (from->read_only)
        return FILE_OUTCOME_READ_ONLY;
    return ENDED(
        directory_remove((directory_cap){from->id}, path, strlen(path), what, &outcome));
}

uint32_t capos_file_rename(const struct capos_directory *from, const char *path,
                           const struct capos_directory *to, const char *to_path,
                           enum directory_replacement replacement)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (from->read_only || to->read_only)
        return FILE_OUTCOME_READ_ONLY;
    directory_cap other = {to->id == from->id ? 0 : to->id};
    return ENDED(directory_rename((directory_cap){from->id}, path, strlen(path), to_path,
                                  strlen(to_path), replacement, other, &outcome));
}

// ---- Files -------------------------------------------------------------------------

void capos_file_init(struct capos_file *file, capos_cap_id id, bool read_only)
{
    *file = (struct capos_file){.id = id, .read_only = read_only};
}

static uint32_t open_read_only(const struct capos_directory *from, const char *path,
                               struct capos_file *file)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    read_only_file_cap narrow = {};
    uint32_t error = from->read_only
                         ? ENDED(read_only_directory_open_read_only(
                               (read_only_directory_cap){from->id}, path, strlen(path), false,
                               &outcome, &file->inode, &file->size_bytes, &narrow))
                         : ENDED(directory_open_read_only(
                               (directory_cap){from->id}, path, strlen(path), false, &outcome,
                               &file->inode, &file->size_bytes, &narrow));
    file->id = narrow.id;
    file->read_only = true;
    return error;
}

uint32_t capos_file_open(const struct capos_directory *from, const char *path, uint32_t flags,
                         struct capos_file *out_file)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    struct capos_file file = {};
    file_cap wide = {};
    uint32_t error;
    if ((flags & CAPOS_FILE_WRITE) == 0) {
        error = open_read_only(from, path, &file);
    } else if (from->read_only) {
        error = FILE_OUTCOME_READ_ONLY;
    } else {
        error = ENDED(directory_open(
            (directory_cap){from->id}, path, strlen(path), (flags & CAPOS_FILE_CREATE) != 0,
            (flags & CAPOS_FILE_EXCLUSIVE) != 0, (flags & CAPOS_FILE_TRUNCATE) != 0, false,
            MODE_FILE, &outcome, nullptr, &file.inode, &file.size_bytes, &wide));
        file.id = wide.id;
    }
    if (error == 0)
        *out_file = file;
    return error;
}

void capos_file_close(struct capos_file *file)
{
    virtual_memory_cap memory;
    capos_release(file->window_buffer);
    if (file->window != nullptr &&
        (virtual_memory_cap_find("memory", &memory) != STATUS_OK ||
         virtual_memory_unmap(memory, (uint64_t)file->window, file->window_bytes) != STATUS_OK))
        capos_panic("file: a window can't be unmapped");
    capos_release(file->id);
    *file = (struct capos_file){};
}

// Shares memory with the file's service.
static enum status window_share(struct capos_file *file, memory_object_cap object,
                                uint32_t size_bytes, virtual_memory_cap memory)
{
    uint64_t address;
    file_buffer_cap buffer;
    enum status status =
        virtual_memory_map(memory, object, 0, size_bytes, 0, PROTECTION_READ_WRITE, &address);
    if (status != STATUS_OK)
        return status;
    status = file->read_only
                 ? read_only_file_create_buffer((read_only_file_cap){file->id}, object, &buffer)
                 : file_create_buffer((file_cap){file->id}, object, &buffer);
    if (status != STATUS_OK) {
        if (virtual_memory_unmap(memory, address, size_bytes) != STATUS_OK)
            capos_panic("file: a window can't be unmapped");
        return status;
    }
    file->window = (uint8_t *)address;
    file->window_bytes = size_bytes;
    file->window_buffer = buffer.id;
    return STATUS_OK;
}

static bool window_create(struct capos_file *file, uint32_t size_bytes)
{
    memory_budget_cap budget;
    virtual_memory_cap memory;
    memory_object_cap object;
    if (memory_budget_cap_find("budget", &budget) != STATUS_OK ||
        virtual_memory_cap_find("memory", &memory) != STATUS_OK ||
        memory_budget_create_memory_object(budget, size_bytes, &object) != STATUS_OK)
        return false;
    enum status status = window_share(file, object, size_bytes, memory);
    memory_object_cap_release(&object); // both sides keep it
    return status == STATUS_OK;
}

// Whether there is a window: a program without memory to spare does without.
static bool window_open(struct capos_file *file)
{
    if (file->window != nullptr || file->window_failed)
        return file->window != nullptr;
    file->window_failed = true;
    return (file->size_bytes >= LARGE_BYTES && window_create(file, WINDOW_LARGE_BYTES)) ||
           window_create(file, WINDOW_BYTES);
}

// As much as fits into the window.
static uint32_t window_read(struct capos_file *file, uint64_t offset, size_t byte_count,
                            uint32_t *out_read)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint32_t count =
        byte_count < file->window_bytes ? (uint32_t)byte_count : file->window_bytes;
    return ENDED(file_buffer_read((file_buffer_cap){file->window_buffer}, file->id, offset,
                                  count, 0, &outcome, out_read));
}

// Up to READ_BYTES in a message.
static uint32_t message_read(struct capos_file *file, uint64_t offset, void *buffer,
                             size_t byte_count, uint32_t *out_read)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint32_t count = byte_count < READ_BYTES ? (uint32_t)byte_count : READ_BYTES;
    size_t read = 0;
    uint32_t error = file->read_only
                         ? ENDED(read_only_file_read((read_only_file_cap){file->id}, offset,
                                                     count, &outcome, buffer, count, &read))
                         : ENDED(file_read((file_cap){file->id}, offset, count, &outcome,
                                           buffer, count, &read));
    *out_read = (uint32_t)read;
    return error;
}

uint32_t capos_file_read(struct capos_file *file, uint64_t offset, void *buffer,
                         size_t byte_count, size_t *out_read)
{
    uint8_t *to = buffer;
    size_t done = 0;
    while (done < byte_count) {
        size_t wanted = byte_count - done;
        uint32_t read = 0, error;
        bool large = wanted >= WINDOW_WORTH_BYTES && window_open(file);
        if (large)
            error = window_read(file, offset + done, wanted, &read);
        else
            error = message_read(file, offset + done, to + done, wanted, &read);
        if (error != 0)
            return error;
        if (read > wanted)
            return failed(STATUS_BAD_MESSAGE); // the service lies
        if (large)
            memcpy(to + done, file->window, read);
        if (read == 0)
            break;
        done += read;
    }
    *out_read = done;
    return 0;
}

uint32_t capos_file_peek(struct capos_file *file, uint64_t offset, const void **out_data,
                         size_t *out_bytes)
{
    static uint8_t small[READ_BYTES];
    uint32_t read = 0, error;
    bool large = window_open(file);
    if (large)
        error = window_read(file, offset, file->window_bytes, &read);
    else
        error = message_read(file, offset, small, sizeof small, &read);
    if (error == 0 && read > (large ? file->window_bytes : READ_BYTES))
        error = failed(STATUS_BAD_MESSAGE); // the service lies
    if (error != 0)
        return error;
    *out_data = large ? file->window : small;
    *out_bytes = read;
    return 0;
}

uint32_t capos_file_write(struct capos_file *file, uint64_t offset, const void *data,
                          size_t byte_count)
{
    const uint8_t *from = data;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (file->read_only)
        return FILE_OUTCOME_READ_ONLY;
    for (size_t done = 0; done < byte_count;) {
        size_t rest = byte_count - done;
        uint32_t written = 0, count, error;
        if (rest >= WINDOW_WORTH_BYTES && window_open(file)) {
            count = rest < file->window_bytes ? (uint32_t)rest : file->window_bytes;
            memcpy(file->window, from + done, count);
            error = ENDED(file_buffer_write((file_buffer_cap){file->window_buffer},
                                            (file_cap){file->id}, offset + done, count, 0,
                                            &outcome, &written));
        } else {
            count = rest < WRITE_BYTES ? (uint32_t)rest : WRITE_BYTES;
            error = ENDED(file_write((file_cap){file->id}, offset + done, from + done, count,
                                     &outcome, &written));
        }
        if (error != 0)
            return error;
        if (written == 0 || written > count)
            return failed(STATUS_BAD_MESSAGE); // the service lies
        done += written;
    }
    return 0;
}

// One piece, in the window or in a message.
static uint32_t append_piece(struct capos_file *file, const uint8_t *data, size_t byte_count,
                             uint32_t *out_written, uint64_t *out_offset)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    file_cap cap = {file->id};
    if (byte_count <= WRITE_BYTES || !window_open(file)) {
        size_t count = byte_count < WRITE_BYTES ? byte_count : WRITE_BYTES;
        return ENDED(file_append(cap, data, count, &outcome, out_written, out_offset));
    }
    uint32_t count = byte_count < WINDOW_BYTES ? (uint32_t)byte_count : WINDOW_BYTES;
    memcpy(file->window, data, count);
    return ENDED(file_buffer_append((file_buffer_cap){file->window_buffer}, cap, count, 0,
                                    &outcome, out_written, out_offset));
}

uint32_t capos_file_append(struct capos_file *file, const void *data, size_t byte_count,
                           size_t *out_written, uint64_t *out_offset)
{
    *out_written = 0;
    if (file->read_only)
        return FILE_OUTCOME_READ_ONLY;
    while (*out_written < byte_count) {
        size_t rest = byte_count - *out_written;
        uint32_t written = 0;
        uint64_t offset = 0;
        uint32_t error =
            append_piece(file, (const uint8_t *)data + *out_written, rest, &written, &offset);
        if (error != 0)
            return error;
        if (written == 0 || written > rest)
            return failed(STATUS_BAD_MESSAGE); // the service lies
        *out_written += written;
        *out_offset =
            offset + written - *out_written; // where they began, if nobody came between
    }
    return 0;
}

// Reads into a piece of memory of its own, from its beginning.
static uint32_t piece_read(const struct capos_file *file, memory_object_cap piece,
                           uint64_t offset, uint32_t byte_count, uint32_t *out_read)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    file_buffer_cap buffer;
    enum status status =
        file->read_only
            ? read_only_file_create_buffer((read_only_file_cap){file->id}, piece, &buffer)
            : file_create_buffer((file_cap){file->id}, piece, &buffer);
    if (status != STATUS_OK)
        return failed(status);
    uint32_t error =
        ENDED(file_buffer_read(buffer, file->id, offset, byte_count, 0, &outcome, out_read));
    file_buffer_cap_release(&buffer);
    if (error == 0 && *out_read > byte_count)
        return failed(STATUS_BAD_MESSAGE); // the service lies
    return error;
}

// Fills the object up to the end of the file.
static uint32_t object_fill(const struct capos_file *file, memory_object_cap object,
                            uint64_t object_bytes, uint64_t *out_bytes)
{
    for (uint64_t done = 0; done < object_bytes; done += BUFFER_BYTES_MAX) {
        memory_object_cap piece;
        uint64_t rest = object_bytes - done;
        uint32_t bytes = rest < BUFFER_BYTES_MAX ? (uint32_t)rest : BUFFER_BYTES_MAX, read = 0;
        enum status status = memory_object_view(object, done, bytes, true, false, &piece);
        if (status != STATUS_OK)
            return failed(status);
        uint32_t error = piece_read(file, piece, done, bytes, &read);
        memory_object_cap_release(&piece);
        if (error != 0)
            return error;
        *out_bytes = done + read;
        if (read < bytes)
            break;
    }
    return 0;
}

uint32_t capos_file_copy(struct capos_file *file, memory_object_cap *out_object,
                         uint64_t *out_bytes)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    memory_budget_cap budget;
    memory_object_cap object;
    uint64_t size_bytes = 0;
    uint32_t error =
        file->read_only
            ? ENDED(read_only_file_stat((read_only_file_cap){file->id}, &outcome, nullptr,
                                        nullptr, nullptr, nullptr, &size_bytes, nullptr,
                                        nullptr, nullptr, nullptr, nullptr, nullptr))
            : ENDED(file_stat((file_cap){file->id}, &outcome, nullptr, nullptr, nullptr,
                              nullptr, &size_bytes, nullptr, nullptr, nullptr, nullptr, nullptr,
                              nullptr));
    if (error != 0)
        return error;
    if (size_bytes == 0 || size_bytes > INT64_MAX - PAGE)
        return failed(STATUS_INVALID_ARGUMENT);
    uint64_t object_bytes = (size_bytes + PAGE - 1) & ~(PAGE - 1);
    enum status status = memory_budget_cap_find("budget", &budget);
    if (status == STATUS_OK)
        status = memory_budget_create_memory_object(budget, object_bytes, &object);
    if (status != STATUS_OK)
        return failed(status);
    *out_bytes = 0;
    error = object_fill(file, object, object_bytes, out_bytes);
    if (error != 0)
        memory_object_cap_release(&object);
    else
        *out_object = object;
    return error;
}

uint32_t capos_file_load(const struct capos_directory *from, const char *path, size_t bytes_max,
                         void **out_data, size_t *out_bytes)
{
    struct capos_file file;
    uint32_t error = capos_file_open(from, path, CAPOS_FILE_READ, &file);
    if (error != 0)
        return error;
    if (file.size_bytes > bytes_max) {
        capos_file_close(&file);
        return FILE_OUTCOME_TOO_LARGE;
    }
    size_t size = (size_t)file.size_bytes, read = 0;
    char *data = malloc(size + 1);
    error = data == nullptr ? failed(STATUS_OVERLOADED)
                            : capos_file_read(&file, 0, data, size, &read);
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

uint32_t capos_file_save(const struct capos_directory *from, const char *path, const void *data,
                         size_t byte_count)
{
    struct capos_file file;
    uint32_t error = capos_file_open(
        from, path, CAPOS_FILE_WRITE | CAPOS_FILE_CREATE | CAPOS_FILE_TRUNCATE, &file);
    if (error != 0)
        return error;
    error = capos_file_write(&file, 0, data, byte_count);
    capos_file_close(&file);
    return error;
}
