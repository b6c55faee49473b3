# SPDX-License-Identifier: MIT
"""Commands of gdb for the capOS kernel: `help capos` lists them.

They read the kernel's own structures through its debug information, so they need no
knowledge of layouts, only of names; a stopped machine is all that they need.  Messages are
put into words by messages.py.
"""
import os
import struct
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import messages                      # noqa: E402

PARAMS_IN_RING = 1


def pointer_to(type_name):
    return gdb.lookup_type(type_name).pointer()


def offset_of(type_name, field_path):
    """The offset of a field, possibly of a field's field, in bytes."""
    null = gdb.Value(0).cast(pointer_to(type_name))
    value = null.dereference()
    for name in field_path.split("."):
        value = value[name]
    return int(value.address)


def list_elements(head, type_name, link):
    """The elements of a struct list, by the name of their link."""
    offset = offset_of(type_name, link)
    end = int(head["head"].address)
    at = head["head"]["next"]
    while int(at) not in (0, end):
        yield gdb.Value(int(at) - offset).cast(pointer_to(type_name))
        at = at["next"]


def processes():
    return list_elements(gdb.parse_and_eval("process_all"), "struct process", "all_link")


def threads(process):
    return list_elements(process["threads"], "struct thread", "process_link")


def enum_name(value, prefix):
    return str(value).removeprefix(prefix).lower()


def memory(address, count):
    return bytes(gdb.selected_inferior().read_memory(address, count))


def submission_text(entry, ring_base):
    """A submission in words; its message too, if that lies in the ring."""
    opcode, cap = int(entry["opcode"]), int(entry["cap"])
    if messages.opcode_name(opcode) != "call":
        return f"{messages.opcode_name(opcode)} cap {cap:#x}"
    data = None
    if int(entry["flags"]) & PARAMS_IN_RING:
        data = memory(ring_base + int(entry["params"]), int(entry["params_bytes"]))
    return f"{messages.call_text(int(entry['interface_id']), int(entry['method']), data)} " \
           f"on cap {cap:#x}"


def operation_text(op):
    """An operation under way: a call or a RECV."""
    kind = op["object"]["type"]
    if int(kind) == int(gdb.parse_and_eval("&endpoint_type")):
        return "recv"
    if int(kind["dispatch"]) != 0:
        return f"a method of {kind['dispatch']['name'].string()}"
    minted = gdb.Value(int(op["object"]) - offset_of("struct minted", "object")).cast(
        pointer_to("struct minted"))
    data = None
    if op["params"]["in_ring"]:
        base = int(op["thread"]["ring"]["base"])
        data = memory(base + int(op["params"]["address"]), int(op["params"]["size_bytes"]))
    text = messages.call_text(int(minted["interface_id"]), int(op["method"]), data)
    return f"{text} {'delivered' if op['delivered'] else 'queued'}"


def regions(node):
    """The regions below a node of a space's tree, by address."""
    if int(node) == 0:
        return
    yield from regions(node["child"][0])
    yield gdb.Value(int(node) - offset_of("struct region", "node")).cast(
        pointer_to("struct region"))
    yield from regions(node["child"][1])


def first_executable(path):
    """The page of an ELF file's first executable segment, as the file has it."""
    with open(path, "rb") as file:
        elf = file.read(4096)
    offset, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for at in range(offset, offset + size * count, size):
        kind, flags = struct.unpack_from("<II", elf, at)
        if kind == 1 and flags & 1:
            return struct.unpack_from("<Q", elf, at + 16)[0] & ~0xfff
    raise gdb.GdbError(f"{path} has no executable segment")


def process_by_id(argument):
    wanted = int(gdb.parse_and_eval(argument))
    for process in processes():
        if int(process["id"]) == wanted:
            return process
    raise gdb.GdbError(f"no live process has the number {wanted}")


class Capos(gdb.Command):
    """Looks at the capOS kernel."""

    def __init__(self):
        super().__init__("capos", gdb.COMMAND_DATA, prefix=True)


class Processes(gdb.Command):
    """capos processes: the live processes and their threads."""

    def __init__(self):
        super().__init__("capos processes", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        cpus = gdb.parse_and_eval("percpus")
        count = int(gdb.parse_and_eval("cpu_count"))
        running = {int(cpus[i]["core"]["current"]): i for i in range(count)}
        for process in processes():
            resident = int(process["space"]["resident_bytes"]) // 1024
            print(f"{int(process['id']):4} {process['name'].string():20} "
                  f"{enum_name(process['state'], 'PROCESS_'):9} "
                  f"{int(process['caps']['live_count'])} caps, {resident} KiB resident")
            for thread in threads(process):
                state = thread["arch"].address.cast(pointer_to("struct thread_state"))
                cpu = running.get(int(thread))
                mark = " " if cpu is None else "*" if count == 1 else f"{cpu}"
                print(f"   {mark} thread {int(thread['id'])} at {int(thread):#x} "
                      f"priority {int(thread['priority'])} {enum_name(thread['state'], 'THREAD_'):8} rip {int(state['rip']):#x} "
                      f"rsp {int(state['rsp']):#x}, {int(thread['ring']['pending_count'])} pending")


class Ring(gdb.Command):
    """capos ring PROCESS: the rings of a process: indices, entries that are there, the submission
    that the kernel took last, and the operations under way, with their messages in words."""

    def __init__(self):
        super().__init__("capos ring", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for thread in threads(process_by_id(argument)):
            print(f"thread {int(thread['id'])}")
            self.show(thread["ring"])
            for op in list_elements(thread["operations"], "struct op", "thread_link"):
                print(f"  under way: {operation_text(op)}, user_data {int(op['user_data']):#x}")

    def show(self, ring):
        base = int(ring["base"])
        header = ring["base"].cast(pointer_to("struct capos_ring_header"))
        sq_head, sq_tail = int(ring["sq_head"]), int(header["sq_tail"])
        cq_head, cq_tail = int(header["cq_head"]), int(ring["cq_tail"])
        print(f"ring at {int(ring['user_address']):#x}: submissions {sq_head}..{sq_tail}, "
              f"completions {cq_head}..{cq_tail}")
        sq = gdb.Value(base + 0x1000).cast(pointer_to("struct capos_sqe"))
        cq = gdb.Value(base + 0x800).cast(pointer_to("struct capos_cqe"))
        for i in range(min(sq_tail - sq_head & 0xffffffff, 64)):
            entry = sq[(sq_head + i) % 64]
            print(f"  sqe {submission_text(entry, base)}, user_data {int(entry['user_data']):#x}")
        if sq_head != 0:
            print(f"  taken last: {submission_text(sq[(sq_head - 1) % 64], base)}")
        for i in range(min(cq_tail - cq_head & 0xffffffff, 64)):
            entry = cq[(cq_head + i) % 64]
            print(f"  cqe result {int(entry['result'])} flags {int(entry['flags'])} "
                  f"bytes {int(entry['result_bytes'])} user_data {int(entry['user_data']):#x}")


class Caps(gdb.Command):
    """capos caps PROCESS: the capabilities that a process holds."""

    def __init__(self):
        super().__init__("capos caps", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        table = process_by_id(argument)["caps"]
        first_slots = 4096 // gdb.lookup_type("struct cap_slot").sizeof
        index = 0
        for k in range(int(table["chunk_count"])):
            chunk = table["chunks"][k]
            for i in range(first_slots << k):
                slot = chunk[i]
                if int(slot["object"]) != 0:
                    self.show(index, slot)
                index += 1

    def show(self, index, slot):
        cap = int(slot["generation"]) << 32 | index
        served = "" if int(slot["object"]["type"]["dispatch"]) else ", served by a process"
        print(f"  {cap:#x} {messages.interface_name(int(slot['interface_id']))} "
              f"object {int(slot['object']):#x} mode {int(slot['mode'])}{served}")


class Trace(gdb.Command):
    """capos trace [COUNT]: the last things that the kernel did, oldest first."""

    def __init__(self):
        super().__init__("capos trace", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        ring = gdb.parse_and_eval("trace_ring")
        written = int(ring["next"])
        entries = ring["entries"].type.range()[1] + 1
        count = min(int(argument) if argument else 32, written, entries)
        for number in range(written - count, written):
            entry = ring["entries"][number % entries]
            print(f"{number:8} {enum_name(entry['event'], 'TRACE_'):16} "
                  f"{int(entry['a']):#x} {int(entry['b']):#x}")


class UserSymbols(gdb.Command):
    """capos symbols PROCESS [FILE]: adds the symbols of a process's program, where it runs.
    FILE is build/user/bin/NAME unless it is given."""

    def __init__(self):
        super().__init__("capos symbols", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) not in (1, 2):
            raise gdb.GdbError("capos symbols PROCESS [FILE]")
        process = process_by_id(words[0])
        path = words[1] if len(words) == 2 else f"build/user/bin/{process['name'].string()}"
        if not os.path.exists(path):
            raise gdb.GdbError(f"there is no {path}; name the program's file")
        execute = [region for region in regions(process["space"]["regions"]["root"])
                   if enum_name(region["kind"], "REGION_") == "object"
                   and int(region["protection"]) == int(gdb.parse_and_eval(
                       "PROTECTION_READ_EXECUTE"))]
        if not execute:
            raise gdb.GdbError("the process has no program in its memory yet")
        bias = int(execute[0]["start"]) - first_executable(path)
        gdb.execute(f"add-symbol-file {path} -o {bias:#x}")


for command in (Capos, Processes, Ring, Caps, Trace, UserSymbols):
    command()
