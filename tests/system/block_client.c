// SPDX-License-Identifier: MIT
// A client of block drivers, for tests/cli/block_test.py, which boots it with a disk:
//
//     block_client facts               what the device is
//     block_client write SEED          fills the device and flushes
//     block_client read SEED           finds what `write` wrote
//     block_client bounds              every wrong request is refused
//     block_client errors BLOCK        reading the block fails, and no other
//     block_client read-only           the device can't be written
//     block_client kill                drivers that are killed, ROUNDS times
//     block_client reuse               memory of a killed driver isn't used while the device
//                                      may write to it
//
// The first ones use the grant "block"; for the last two it is the drivers' parent.  Prints a
// line for what it found; exits with 1 and says where if anything was wrong.
#include <capos/process.h>
#include <capos/spawn.h>

#include <gen/capos/block_device.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/device_memory.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/virtual_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;
constexpr uint32_t PIECE = 4096; // bytes of one request
constexpr uint32_t PIECES = 12;  // under way at once
constexpr uint32_t QUEUE_BYTES = PIECES * PIECE;
constexpr uint32_t ROUNDS = 20;
constexpr uint64_t DRIVER_BYTES = 4 << 20;

[[noreturn]] static void wrong(int line, const char *what, enum status status)
{
    printf("block_client.c:%d: %s: %s%s%s\n", line, what, status_name(status),
           status <= STATUS_INVALID_ARGUMENT ? ": " : "",
           status <= STATUS_INVALID_ARGUMENT ? capos_last_exception()->reason : "");
    exit(1);
}

#define EXPECT(condition)                           \
    do {                                            \
        if (!(condition))                           \
            wrong(__LINE__, #condition, STATUS_OK); \
    } while (0)
#define EXPECT_STATUS(call, expected)        \
    do {                                     \
        enum status status_ = (call);        \
        if (status_ != (expected))           \
            wrong(__LINE__, #call, status_); \
    } while (0)
#define EXPECT_OK(call) EXPECT_STATUS(call, STATUS_OK)

static virtual_memory_cap memory;

// ---- A device ----------------------------------------------------------------------

struct device {
    block_device_cap device;
    block_queue_cap queue;
    uint8_t *bytes; // of the queue
    uint32_t block_bytes;
    uint64_t block_count;
    bool read_only, discards;
};

static void device_open(struct device *device, block_device_cap cap)
{
    memory_object_cap object;
    uint64_t address;
    device->device = cap;
    EXPECT_OK(block_device_info(cap, &device->block_bytes, &device->read_only, nullptr,
                                &device->discards, &device->block_count, nullptr, nullptr));
    EXPECT_OK(block_device_open_queue(cap, QUEUE_BYTES, &device->queue, &object));
    EXPECT_OK(
        virtual_memory_map(memory, object, 0, QUEUE_BYTES, 0, PROTECTION_READ_WRITE, &address));
    memory_object_cap_release(&object);
    device->bytes = (uint8_t *)address;
}

static void device_close(struct device *device)
{
    EXPECT_OK(virtual_memory_unmap(memory, (uint64_t)device->bytes, QUEUE_BYTES));
    block_queue_cap_release(&device->queue);
}

static void device_find(struct device *device)
{
    block_device_cap cap;
    EXPECT_OK(block_device_cap_find("block", &cap));
    device_open(device, cap);
}

// What belongs into a piece of the device: words that say where, and of which writing.
static void pattern_make(uint8_t *bytes, uint32_t size_bytes, uint64_t place, uint64_t seed)
{
    uint64_t words[2] = {place, seed};
    for (uint32_t i = 0; i < size_bytes; i += sizeof words)
        memcpy(bytes + i, words, sizeof words);
}

static bool pattern_is(const uint8_t *bytes, uint32_t size_bytes, uint64_t place, uint64_t seed)
{
    uint64_t words[2] = {place, seed};
    for (uint32_t i = 0; i < size_bytes; i += sizeof words)
        if (memcmp(bytes + i, words, sizeof words) != 0)
            return false;
    return true;
}

// ---- Everything there is -----------------------------------------------------------

static void facts(void)
{
    struct device device;
    device_find(&device);
    printf("%llu blocks of %u bytes%s\n", (unsigned long long)device.block_count,
           device.block_bytes, device.read_only ? ", read-only" : "");
}

// Blocks of the piece number `piece`; the last one may be short.
static uint32_t piece_blocks(const struct device *device, uint64_t piece)
{
    uint32_t blocks = PIECE / device->block_bytes;
    uint64_t left = device->block_count - piece * blocks;
    return left < blocks ? (uint32_t)left : blocks;
}

static uint64_t piece_count(const struct device *device)
{
    uint64_t bytes = device->block_count * device->block_bytes;
    return (bytes + PIECE - 1) / PIECE;
}

// Several requests at once, each in its place of the memory.
static void write_all(uint64_t seed)
{
    static struct capos_call calls[PIECES];
    struct device device;
    enum block_outcome outcome;
    device_find(&device);
    uint64_t count = piece_count(&device);
    for (uint64_t i = 0; i < count + PIECES; i++) {
        struct capos_call *call = &calls[i % PIECES];
        uint32_t offset = (uint32_t)(i % PIECES) * PIECE;
        if (i >= PIECES && i - PIECES < count) {
            EXPECT_OK(block_queue_write_finish(call, &outcome));
            EXPECT(outcome == BLOCK_OUTCOME_OK);
        }
        if (i >= count)
            continue;
        pattern_make(device.bytes + offset, PIECE, i, seed);
        EXPECT_OK(block_queue_write_begin(call, device.queue, i * PIECE / device.block_bytes,
                                          piece_blocks(&device, i), offset));
    }
    EXPECT_OK(block_queue_flush(device.queue, &outcome));
    EXPECT(outcome == BLOCK_OUTCOME_OK);
    device_close(&device);
    printf("wrote %llu blocks\n", (unsigned long long)device.block_count);
}

static void read_all(uint64_t seed)
{
    static struct capos_call calls[PIECES];
    struct device device;
    enum block_outcome outcome;
    device_find(&device);
    uint64_t count = piece_count(&device);
    for (uint64_t i = 0; i < count + PIECES; i++) {
        struct capos_call *call = &calls[i % PIECES];
        uint32_t offset = (uint32_t)(i % PIECES) * PIECE;
        if (i >= PIECES && i - PIECES < count) {
            EXPECT_OK(block_queue_read_finish(call, &outcome));
            EXPECT(outcome == BLOCK_OUTCOME_OK);
            uint32_t bytes = piece_blocks(&device, i - PIECES) * device.block_bytes;
            EXPECT(pattern_is(device.bytes + offset, bytes, i - PIECES, seed));
        }
        if (i < count)
            EXPECT_OK(block_queue_read_begin(call, device.queue, i * PIECE / device.block_bytes,
                                             piece_blocks(&device, i), offset));
    }
    device_close(&device);
    printf("read %llu blocks\n", (unsigned long long)device.block_count);
}

// ---- What is refused ---------------------------------------------------------------

static void wrong_requests_are_refused(const struct device *device)
{
    enum block_outcome outcome;
    uint64_t end = device->block_count;
    const struct {
        uint64_t block;
        uint32_t count, offset;
    } bad[] = {
        {end, 1, 0},
        {end - 1, 2, 0},
        {UINT64_MAX, 1, 0},
        {UINT64_MAX - 7, 16, 0},
        {0, 0, 0},
        {0, UINT32_MAX, 0},
        {0, QUEUE_BYTES / device->block_bytes + 1, 0},
        {0, 1, QUEUE_BYTES},
        {0, 1, UINT32_MAX - device->block_bytes + 1},
        {0, 2, QUEUE_BYTES - device->block_bytes},
        {0, 1, 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT_STATUS(block_queue_read(device->queue, bad[i].block, bad[i].count, bad[i].offset,
                                       &outcome),
                      STATUS_INVALID_ARGUMENT);
        EXPECT_STATUS(block_queue_write(device->queue, bad[i].block, bad[i].count,
                                        bad[i].offset, &outcome),
                      STATUS_INVALID_ARGUMENT);
    }
    EXPECT_STATUS(block_queue_discard(device->queue, end, 1, &outcome),
                  STATUS_INVALID_ARGUMENT);
}

static void wrong_objects_are_refused(const struct device *device)
{
    static const uint32_t sizes[] = {0, 4097, (1 << 20) + 4096};
    uint64_t end = device->block_count;
    const struct {
        uint64_t first, count;
    } parts[] = {{end, 1}, {1, end}, {0, 0}, {UINT64_MAX, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        EXPECT_STATUS(block_device_open_queue(device->device, sizes[i], nullptr, nullptr),
                      STATUS_INVALID_ARGUMENT);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        EXPECT_STATUS(
            block_device_part(device->device, parts[i].first, parts[i].count, false, nullptr),
            STATUS_INVALID_ARGUMENT);
}

static void a_part_is_all_that_its_holder_reaches(const struct device *device)
{
    struct device part;
    block_device_cap cap;
    enum block_outcome outcome;
    uint64_t end = device->block_count;
    pattern_make(device->bytes, PIECE, 77, 1);
    EXPECT_OK(block_queue_write(device->queue, end - 1, 1, 0, &outcome));
    EXPECT(outcome == BLOCK_OUTCOME_OK);
    EXPECT_OK(block_device_part(device->device, end - 1, 1, true, &cap));
    device_open(&part, cap);
    EXPECT(part.block_count == 1 && part.read_only);
    EXPECT_OK(block_queue_read(part.queue, 0, 1, 0, &outcome));
    EXPECT(outcome == BLOCK_OUTCOME_OK && pattern_is(part.bytes, part.block_bytes, 77, 1));
    EXPECT_OK(block_queue_write(part.queue, 0, 1, 0, &outcome));
    EXPECT(outcome == BLOCK_OUTCOME_READ_ONLY);
    EXPECT_STATUS(block_queue_read(part.queue, 1, 1, 0, &outcome), STATUS_INVALID_ARGUMENT);
    EXPECT_STATUS(block_device_part(cap, 0, 2, false, nullptr), STATUS_INVALID_ARGUMENT);
    device_close(&part);
    block_device_cap_release(&cap);
}

static void queues_are_bounded_and_come_back(const struct device *device)
{
    for (int round = 0; round < 3; round++) {
        block_queue_cap queues[32] = {};
        uint32_t count = 0;
        while (count < 32 && block_device_open_queue(device->device, PAGE, &queues[count],
                                                     nullptr) == STATUS_OK)
            count++;
        EXPECT(count >= 8 && count < 32);
        for (uint32_t i = 0; i < count; i++)
            block_queue_cap_release(&queues[i]);
    }
}

static void bounds(void)
{
    struct device device;
    enum block_outcome outcome;
    device_find(&device);
    wrong_requests_are_refused(&device);
    wrong_objects_are_refused(&device);
    a_part_is_all_that_its_holder_reaches(&device);
    queues_are_bounded_and_come_back(&device);
    EXPECT_OK(block_queue_discard(device.queue, 0, device.block_count, &outcome));
    EXPECT(outcome == (device.discards ? BLOCK_OUTCOME_OK : BLOCK_OUTCOME_NOT_SUPPORTED));
    device_close(&device);
    printf("refused\n");
}

static void errors(uint64_t bad_block)
{
    struct device device;
    enum block_outcome outcome;
    device_find(&device);
    for (uint64_t i = 0; i < device.block_count; i++) {
        EXPECT_OK(block_queue_read(device.queue, i, 1, 0, &outcome));
        if (outcome != BLOCK_OUTCOME_OK)
            printf("block %llu: %s\n", (unsigned long long)i, block_outcome_name(outcome));
        EXPECT((outcome == BLOCK_OUTCOME_OK) == (i != bad_block));
    }
    EXPECT_OK(block_queue_flush(device.queue, &outcome));
    EXPECT(outcome == BLOCK_OUTCOME_OK);
}

static void read_only(void)
{
    struct device device;
    enum block_outcome outcome;
    device_find(&device);
    EXPECT(device.read_only);
    EXPECT_OK(block_queue_read(device.queue, 0, 1, 0, &outcome));
    EXPECT(outcome == BLOCK_OUTCOME_OK);
    EXPECT_OK(block_queue_write(device.queue, 0, 1, 0, &outcome));
    EXPECT(outcome == BLOCK_OUTCOME_READ_ONLY);
    printf("%s\n", block_outcome_name(outcome));
}

// ---- Drivers of our own ------------------------------------------------------------

static struct {
    struct capos_spawner spawner;
    struct capos_image image;
    memory_budget_cap budget;
    endpoint_cap endpoint;
    dma_pool_cap pool;
    block_device_cap device;
    struct capos_process process;
} parent;

static capos_cap_id grant(const char *name, uint64_t interface_id)
{
    capos_cap_id cap = 0;
    EXPECT_OK(capos_find(name, interface_id, &cap));
    return cap;
}

static void parent_init(void)
{
    boot_package_cap boot = {grant("boot", INTERFACE_BOOT_PACKAGE)};
    memory_budget_cap own = {grant("budget", INTERFACE_MEMORY_BUDGET)};
    dma_pool_cap pool = {grant("dma", INTERFACE_DMA_POOL)};
    memory_object_cap file;
    uint64_t size_bytes;
    EXPECT_OK(capos_spawner_find(&parent.spawner));
    EXPECT_OK(boot_package_open(boot, "block", 5, &file, &size_bytes));
    EXPECT_OK(capos_image_open(&parent.image, &parent.spawner, file, size_bytes));
    EXPECT_OK(memory_budget_split(own, DRIVER_BYTES, &parent.budget));
    EXPECT_OK(memory_budget_create_endpoint(own, 64, &parent.endpoint));
    EXPECT_OK(dma_pool_keeper(pool, &parent.pool));
    EXPECT_OK(endpoint_mint(parent.endpoint, INTERFACE_BLOCK_DEVICE, 1, &parent.device.id));
}

static void driver_start(void)
{
    static const char *const arguments[] = {"block"};
    struct capos_spawn_grant grants[CAPOS_SPAWN_OWN_GRANTS_MAX + 7];
    uint32_t count = capos_spawn_own_grants(&parent.spawner, grants);
    const struct capos_spawn_grant more[] = {
        {"budget", capos_transfer_copy(parent.budget.id)},
        {"endpoint", capos_transfer_copy(parent.endpoint.id)},
        {"devices", capos_transfer_copy(grant("devices", INTERFACE_DEVICE_MEMORY))},
        {"interrupts",
         capos_transfer_copy(grant("interrupts", INTERFACE_INTERRUPT_CONTROLLER))},
        {"pci", capos_transfer_copy(grant("pci", INTERFACE_IO_PORTS))},
        {"timer", capos_transfer_copy(grant("timer", INTERFACE_TIMER))},
        {"dma", capos_transfer_copy(parent.pool.id)},
    };
    memcpy(grants + count, more, sizeof more);
    struct capos_spawn_request request = {
        .name = "block",
        .budget = parent.budget,
        .grants = grants,
        .grant_count = count + 7,
        .arguments = arguments,
        .argument_count = 1,
    };
    EXPECT_OK(capos_spawn(&parent.spawner, &parent.image, &request, &parent.process));
}

// What init does for a service that ends.
static void driver_kill(void)
{
    EXPECT_OK(process_handle_kill(parent.process.handle));
    EXPECT_OK(process_handle_wait(parent.process.handle, nullptr, nullptr, nullptr, nullptr,
                                  nullptr, nullptr, nullptr));
    process_handle_cap_release(&parent.process.handle);
    EXPECT_OK(endpoint_disconnect(parent.endpoint));
}

static uint64_t piece_read(const struct device *device, uint32_t piece)
{
    enum block_outcome outcome;
    uint64_t seed;
    uint32_t blocks = PIECE / device->block_bytes;
    EXPECT_OK(block_queue_read(device->queue, piece * blocks, blocks, 0, &outcome));
    EXPECT(outcome == BLOCK_OUTCOME_OK);
    memcpy(&seed, device->bytes + sizeof seed, sizeof seed);
    // Each block is of one writing as a whole.
    for (uint32_t i = 0; i < blocks; i++) {
        const uint8_t *bytes = device->bytes + i * device->block_bytes;
        uint64_t block_seed;
        memcpy(&block_seed, bytes + sizeof block_seed, sizeof block_seed);
        EXPECT(pattern_is(bytes, device->block_bytes, piece, block_seed));
        if (block_seed < seed)
            seed = block_seed; // the oldest
    }
    return seed;
}

// Writes pieces and kills the driver when some are done.  An acknowledged one is there
// afterwards, any other is the new or the old one in each block.
static void kill_round(uint64_t round)
{
    static struct capos_call calls[PIECES];
    bool acknowledged[PIECES] = {};
    struct device device;
    enum block_outcome outcome;
    driver_start();
    device_open(&device, parent.device);
    for (uint32_t i = 0; i < PIECES; i++) {
        uint32_t blocks = PIECE / device.block_bytes;
        pattern_make(device.bytes + i * PIECE, PIECE, i, round);
        EXPECT_OK(
            block_queue_write_begin(&calls[i], device.queue, i * blocks, blocks, i * PIECE));
    }
    uint32_t awaited = (uint32_t)(round % PIECES);
    for (uint32_t i = 0; i < awaited; i++) {
        EXPECT_OK(block_queue_write_finish(&calls[i], &outcome));
        acknowledged[i] = outcome == BLOCK_OUTCOME_OK;
        EXPECT(acknowledged[i]);
    }
    driver_kill();
    for (uint32_t i = awaited; i < PIECES; i++) {
        enum status status = block_queue_write_finish(&calls[i], &outcome);
        EXPECT(status == STATUS_OK || status == STATUS_DISCONNECTED);
        acknowledged[i] = status == STATUS_OK && outcome == BLOCK_OUTCOME_OK;
    }
    driver_start();
    EXPECT_STATUS(block_queue_flush(device.queue, &outcome), STATUS_DISCONNECTED);
    device_close(&device);
    device_open(&device, parent.device);
    for (uint32_t i = 0; i < PIECES; i++) {
        uint64_t seed = piece_read(&device, i);
        EXPECT(seed == round || (!acknowledged[i] && seed < round));
    }
    device_close(&device);
    driver_kill();
}

static void kill_drivers(void)
{
    struct device device;
    enum block_outcome outcome;
    parent_init();
    driver_start();
    device_open(&device, parent.device);
    for (uint32_t i = 0; i < PIECES; i++) {
        pattern_make(device.bytes, PIECE, i, 0);
        EXPECT_OK(block_queue_write(device.queue, i * (PIECE / device.block_bytes),
                                    PIECE / device.block_bytes, 0, &outcome));
    }
    device_close(&device);
    driver_kill();
    for (uint64_t round = 1; round <= ROUNDS; round++)
        kill_round(round);
    printf("killed %u drivers\n", 2 * ROUNDS + 1);
}

// The disk is slow here, so that the device is still reading when its driver is gone.
static void reuse(void)
{
    static struct capos_call calls[PIECES];
    constexpr uint64_t bytes = 24 << 20;
    struct device device;
    uint64_t address;
    parent_init();
    driver_start();
    device_open(&device, parent.device);
    uint32_t blocks = PIECE / device.block_bytes;
    for (uint32_t i = 0; i < PIECES; i++)
        EXPECT_OK(
            block_queue_read_begin(&calls[i], device.queue, i * blocks, blocks, i * PIECE));
    // The last one waits behind the others in the device when one is done.
    EXPECT_OK(block_queue_read_finish(&calls[0], nullptr));
    driver_kill();
    uint32_t cut_off = 0;
    for (uint32_t i = 1; i < PIECES; i++)
        cut_off += block_queue_read_finish(&calls[i], nullptr) == STATUS_DISCONNECTED;
    EXPECT(cut_off > 0);
    device_close(&device);
    // Whatever is free is ours now, and nobody else writes there.
    EXPECT_OK(virtual_memory_reserve(memory, bytes, 0, 0, &address));
    EXPECT_OK(virtual_memory_commit(memory, address, bytes, PROTECTION_READ_WRITE));
    memset((void *)address, 0xa5, bytes);
    driver_start();
    EXPECT_OK(block_device_info(parent.device, nullptr, nullptr, nullptr, nullptr, nullptr,
                                nullptr, nullptr)); // it has reset the device
    for (uint64_t i = 0; i < bytes; i++)
        EXPECT(((const volatile uint8_t *)address)[i] == 0xa5);
    driver_kill();
    printf("nothing was written over\n");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    uint64_t number = argc > 2 ? strtoull(argv[2], nullptr, 10) : 0;
    EXPECT_OK(virtual_memory_cap_find("memory", &memory));
    if (strcmp(what, "facts") == 0)
        facts();
    else if (strcmp(what, "write") == 0)
        write_all(number);
    else if (strcmp(what, "read") == 0)
        read_all(number);
    else if (strcmp(what, "bounds") == 0)
        bounds();
    else if (strcmp(what, "errors") == 0)
        errors(number);
    else if (strcmp(what, "read-only") == 0)
        read_only();
    else if (strcmp(what, "kill") == 0)
        kill_drivers();
    else if (strcmp(what, "reuse") == 0)
        reuse();
    else
        wrong(__LINE__, "which mode?", STATUS_OK);
    return 0;
}
