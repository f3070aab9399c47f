#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs each case of the kselftests alone (qemu/guest/alone.sh), except those that docs/testing.md excludes.
. "$(dirname "$0")/../lib/lab.sh"

ci_share 3 <<'TABLE' | "$LAB/run/boots.sh" -
uml    alone/unregistering.sh                                                    600
stock  alone/tracepoints.sh                                                      600
stock  alone/unload.sh                                                           600
uml    alone/requests.sh,request_refusals.sh,forwarding.sh,peer_requests.sh      600
uml    alone/refusals.sh,handles.sh,pointers.sh                                  600
uml    alone/events.sh,many_events.sh                                            600
uml    alone/forgotten_drivers.sh,owner_unload.sh,waits.sh                       600
uml    alone/handshakes.sh,lifecycle.sh,versions.sh,reload.sh,sensor.sh,jobs.sh,alarm.sh,two_owners.sh,chain.sh,bridge.sh 600
uml    alone/peers.sh,ticks.sh,state.sh,hostile.sh                               600
uml    alone/all_pairs.sh                                                        600
uml    alone/device.sh,sampler.sh,c_owner.sh,lending.sh                                     600
TABLE
