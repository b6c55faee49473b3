# SPDX-License-Identifier: MIT
"""Commands of gdb for the capOS kernel: `help capos` lists them.

They read the kernel's own structures through its debug information, so they need no
knowledge of layouts, only of names; a stopped machine is all that they need.
"""
import gdb


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
                print(f"   {mark} thread {int(thread):#x} "
                      f"{enum_name(thread['state'], 'THREAD_'):8} rip {int(state['rip']):#x} "
                      f"rsp {int(state['rsp']):#x}, {int(thread['ring']['pending_count'])} pending")


class Ring(gdb.Command):
    """capos ring PROCESS: the indices and live entries of a process's rings."""

    def __init__(self):
        super().__init__("capos ring", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for thread in threads(process_by_id(argument)):
            self.show(thread["ring"])

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
            print(f"  sqe opcode {int(entry['opcode'])} cap {int(entry['cap']):#x} "
                  f"interface {int(entry['interface_id']):#x} method {int(entry['method'])} "
                  f"user_data {int(entry['user_data']):#x}")
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
        dispatch = slot["object"]["type"]["dispatch"]
        name = dispatch["name"].string() if int(dispatch) else "(minted)"
        print(f"  {cap:#x} {name} interface {int(slot['interface_id']):#x} "
              f"object {int(slot['object']):#x} mode {int(slot['mode'])}")


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
    """capos symbols FILE BIAS: adds a program's symbols, at what its image was moved by."""

    def __init__(self):
        super().__init__("capos symbols", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != 2:
            raise gdb.GdbError("capos symbols FILE BIAS")
        gdb.execute(f"add-symbol-file {words[0]} -o {words[1]}")


for command in (Capos, Processes, Ring, Caps, Trace, UserSymbols):
    command()
