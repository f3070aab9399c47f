# SPDX-License-Identifier: GPL-2.0
# The pair of docs/porting.md: the crate of its interface, an owner and a peer. The project's Kbuild includes
# this file and has the library's crates.

d2d-sensor := examples/sensor
d2d-sensor-crates := -L $(obj)/shared -L $(obj)/$(d2d-sensor) --extern d2d --extern d2d_owner --extern sensor_pair

RUSTFLAGS_$(d2d-sensor)/sensor_pair.o := --emit=metadata=$(obj)/$(d2d-sensor)/libsensor_pair.rmeta \
					 -L $(obj)/shared --extern d2d
$(obj)/$(d2d-sensor)/sensor_pair.o: $(obj)/shared/d2d/d2d.o
$(obj)/$(d2d-sensor)/sensor_pair.o: private modfile := $(obj)/$(d2d-sensor)/sensor_pair

obj-m += examples/consumer.o examples/sensor.o

# Only an owner links the owner's half of the library.
examples/consumer-y := $(d2d-sensor)/consumer.o $(d2d-sensor)/sensor_pair.o \
		       $(d2d-owner) $(d2d)
RUSTFLAGS_$(d2d-sensor)/consumer.o := $(d2d-sensor-crates)
$(obj)/$(d2d-sensor)/consumer.o: $(obj)/$(d2d-sensor)/sensor_pair.o $(obj)/shared/owner/d2d_owner.o

examples/sensor-y := $(d2d-sensor)/sensor.o $(d2d-sensor)/sensor_pair.o $(d2d)
RUSTFLAGS_$(d2d-sensor)/sensor.o := $(d2d-sensor-crates)
$(obj)/$(d2d-sensor)/sensor.o: $(obj)/$(d2d-sensor)/sensor_pair.o $(obj)/shared/owner/d2d_owner.o

clean-files += $(d2d-sensor)/*.rmeta
