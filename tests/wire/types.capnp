# SPDX-License-Identifier: MIT
@0xd1f6a7c3b2e49805;
using A = import "../../schema/annotations.capnp";
# Every type, default and shape of union that the schema compiler supports, most of which no
# interface uses yet: for tests/wire/test_types.py.

enum Colour {
  # An enum.
  red @0;
  # Its default.
  green @1;
  # Another.
  blue @2;
  # A third.
}

struct Scalars {
  # Numbers without defaults, in an order that leaves holes.
  a @0 :Bool;
  # A bit.
  b @1 :Int8;
  # A byte.
  c @2 :Int16;
  # Two bytes.
  d @3 :Bool;
  # A second bit.
  e @4 :Int32;
  # Four bytes.
  f @5 :Int64;
  # Eight bytes.
  g @6 :UInt8;
  # Fills a hole.
  h @7 :UInt16;
  # Fills a hole.
  i @8 :UInt32;
  # Fills a hole.
  j @9 :UInt64;
  # Eight bytes.
  k @10 :Float32;
  # A float.
  l @11 :Float64;
  # A double.
  m @12 :Colour;
  # An enum.
}

struct Defaults {
  # The same with defaults: stored XORed with them.
  a @0 :Bool = true;
  # A bit.
  b @1 :Int8 = -100;
  # A byte.
  c @2 :Int16 = -2;
  # Two bytes.
  e @3 :Int32 = 123456789;
  # Four bytes.
  f @4 :Int64 = -1;
  # Eight bytes.
  g @5 :UInt8 = 200;
  # A byte.
  h @6 :UInt16 = 60000;
  # Two bytes.
  i @7 :UInt32 = 0xdeadbeef;
  # Four bytes.
  j @8 :UInt64 = 0xfedcba9876543210;
  # Eight bytes.
  k @9 :Float32 = 1.5;
  # A float.
  l @10 :Float64 = -2.25;
  # A double.
  m @11 :Colour = blue;
  # An enum.
}

struct Inner {
  # A part of others.
  name @0 :Text $A.maxBytes(40);
  # A text.
  number @1 :UInt16;
  # A number.
}

struct Nested {
  # Structs in structs.
  first @0 :Inner;
  # By itself.
  defaults @1 :Defaults;
  # One with defaults, which are there also if the pointer is null.
  second @2 :Inner;
  # Again.
}

struct Lists {
  # Lists of every element.
  u8 @0 :List(UInt8) $A.maxCount(9);
  # Bytes.
  i16 @1 :List(Int16) $A.maxCount(9);
  # Two bytes.
  u32 @2 :List(UInt32) $A.maxCount(9);
  # Four bytes.
  i64 @3 :List(Int64) $A.maxCount(9);
  # Eight bytes.
  texts @4 :List(Text) $A.maxCount(5) $A.maxBytes(30);
  # Texts with a bound each.
  datas @5 :List(Data) $A.maxCount(5) $A.maxBytes(30);
  # Data with a bound each.
  structs @6 :List(Nested) $A.maxCount(4);
  # Structs with structs.
}

struct Unions {
  # A union without a name, one with, and one inside of a group of a union.
  before @0 :UInt32;
  # An ordinary field.
  union {
    nothing @1 :Void;
    # No value.
    number @2 :Int64 = 77;
    # A number with a default.
    text @3 :Text $A.maxBytes(20);
    # A text.
    group :group {
      # Fields together.
      x @4 :UInt16;
      # A number.
      inner :union {
        # A union in a group in a union.
        flag @5 :Bool;
        # A bit.
        data @6 :Data $A.maxBytes(20);
        # Bytes.
      }
    }
  }
  named :union {
    # A union with a name.
    left @7 :Colour;
    # An enum.
    right @8 :Inner;
    # A struct.
    list @9 :List(UInt16) $A.maxCount(6);
    # A list.
  }
  after @10 :UInt8;
  # An ordinary field.
}
