// SPDX-License-Identifier: MIT
#include "files.h"

#include <capos/file.h>
#include <capos/panic.h>

#include <gen/capos/file.h>
#include <gen/capos/ramfs.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"
#include "setup.h"

constexpr size_t MIB = 1 << 20;
constexpr uint64_t SIZE_BYTES = 8 << 20;

static struct capos_directory directory;
static struct capos_file large;

static void done(uint32_t error, const char *what)
{
    if (error != 0)
        capos_panic("bench: %s: %s", what, capos_file_error_text(error));
}

static void open_close(void)
{
    struct capos_file file;
    done(capos_file_open(&directory, "small", CAPOS_FILE_READ, &file), "open");
    capos_file_close(&file);
}

static void read_page(void)
{
    static uint8_t data[4096];
    size_t bytes;
    done(capos_file_read(&large, 4096, data, sizeof data, &bytes), "read");
}

// Where it arrived, each byte once.
static void read_mib(void)
{
    const void *data;
    size_t bytes = 0;
    for (uint64_t offset = 0; offset < MIB; offset += bytes)
        done(capos_file_peek(&large, offset, &data, &bytes), "peek");
}

static void create_write_remove(void)
{
    static uint8_t data[4096];
    done(capos_file_save(&directory, "new", data, sizeof data), "save");
    done(capos_file_remove(&directory, "new", DIRECTORY_REMOVAL_ANY), "remove");
}

// Makes the files that are read, and opens the large one.
static void files_prepare(void)
{
    void *data = calloc(1, MIB);
    done(capos_file_save(&directory, "small", "x", 1), "save");
    done(capos_file_save(&directory, "large", data, MIB), "save");
    free(data);
    done(capos_file_open(&directory, "large", CAPOS_FILE_READ, &large), "open");
}

void files_measure(void)
{
    ramfs_cap ramfs;
    directory_cap root;
    require(ramfs_cap_find("ramfs", &ramfs), "ramfs");
    require(ramfs_create(ramfs, setup.budget, SIZE_BYTES, &root), "Ramfs.create");
    directory.id = root.id;
    files_prepare();
    MEASURE("file_open_close", 50, open_close());
    MEASURE("file_read_4096", 50, read_page());
    MEASURE("file_read_mib", 4, read_mib());
    MEASURE("file_create_write_remove", 20, create_write_remove());
    capos_file_close(&large);
    capos_directory_close(&directory);
}

// ---- A disk ------------------------------------------------------------------------

static void create_write_sync_remove(void)
{
    static uint8_t data[4096];
    struct capos_file file;
    enum file_outcome outcome;
    done(capos_file_open(&directory, "new", CAPOS_FILE_WRITE | CAPOS_FILE_CREATE, &file),
         "open");
    done(capos_file_write(&file, 0, data, sizeof data), "write");
    require(file_sync((file_cap){file.id}, false, &outcome), "sync");
    done(outcome, "sync");
    capos_file_close(&file);
    done(capos_file_remove(&directory, "new", DIRECTORY_REMOVAL_ANY), "remove");
}

// One more file of 100 bytes in the directory.
static void create_next(void)
{
    static unsigned number;
    static char name[16], data[100];
    snprintf(name, sizeof name, "%u", number++);
    done(capos_file_save(&directory, name, data, sizeof data), "save");
}

void files_measure_disk(void)
{
    constexpr unsigned files = 100'000, measured = 166;
    done(capos_directory_find("disk", &directory), "disk");
    files_prepare();
    MEASURE("disk_open_close", 50, open_close());
    MEASURE("disk_read_4096", 50, read_page());
    MEASURE("disk_read_mib", 4, read_mib());
    MEASURE("disk_create_write_sync_remove", 20, create_write_sync_remove());
    MEASURE("disk_create_first_1000", measured, create_next());
    for (unsigned i = 0; i < files - 2 * MEASURE_BATCHES * measured; i++)
        create_next();
    MEASURE("disk_create_last_1000", measured, create_next());
    capos_file_close(&large);
}
