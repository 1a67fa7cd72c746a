# SPDX-License-Identifier: GPL-2.0
# What was to be reached, and what was: the first table of docs/benchmarks.md.
# Input: the JSON of all benchmarks, in one object by their names.
def r: . * 100 | round / 100;
def of(metric; config): .ratios[metric][config];
def value(metric; config):
	.rows[] | select(.metric == metric and .config == config).median;

def cost(flows; config):
	if config == "fq" then 1 else of("over noqueue, \(flows) flows"; config) end;
def costs(config; rival): . as $b | [1, 16, 256, 4096 | . as $n | $b |
	(cost($n; config) / cost($n; rival))? // empty | r];
def chain(trains; config): of("udp one by one, \(trains) trains: throughput"; config);
def rival(trains):
	[chain(trains; "slot 64us fq_codel quantum 60000", "slot 128us fq_codel quantum 60000")] | max;
# Instructions of a load: of pfifo's, and with a delay of 256 packets of those of the best
# rival.  "limit": the tester itself groups, see scripts/bench.d/chain.
def instructions(load; config): of("\(load): cost of a packet"; config) | . * 1000 | round / 1000;
def to_rival(load; config): load as $load |
	instructions($load; config) / ([instructions($load;
	"slot 256 packets fq_codel quantum 60000", "pfifo + receivers 256 packets")] | min) | r;
def limit(load): ("", ", held") as $way |
	"limit\($way) \(instructions(load; "limit 256 packets\($way)"))";
def to_slower(load): load as $load | instructions($load; "reframer delay 256 packets") /
	instructions($load; "slot 512 packets fq_codel quantum 60000") | r;
def beside_rival(load): "of netem slot with twice the delay \([to_slower(load)] | join(", "))",
	(("", ", held") as $way |
	"limit\($way) \([to_rival(load; "limit 256 packets\($way)")] | join(", "))");
# What @rival takes for new flows, of what reframer takes
def new_flows(trains; delay; rival): "udp new flows, \(trains) trains: cost of a packet" as $m |
	value($m; rival) / value($m; "reframer delay \(delay) packets");
# The most of pfifo's instructions that a load takes
def dearest($config): [.ratios | to_entries[] |
	select(.key | test("cost of a packet$") and (test("bursts|router") | not)) |
	.value[$config] // empty] | max | r;
# Per cent of the optimum's gain
def gained(load; config): "\(load): merged" as $m | value($m; "pfifo") as $none |
	100 * (value($m; config) - $none) / (value($m; "optimum") - $none) | round;
# Of the first router's own work, of pfifo's
def router(trains; config): value("udp, 16 trains: cost of a packet"; "tester alone") as $tester |
	(value("router, \(trains) trains: cost of a packet"; config) - $tester) /
	(value("router, \(trains) trains: cost of a packet"; "pfifo") - $tester) | r;
def web(load): of("\(load): throughput"; "reframer") | r;
def alone: of("merged, 1M x 64: throughput of a receiver with a CPU of its own";
	"reframer") | r;
# Trains that nothing has interleaved, of the merged ones: the best that sorting could do
def unmixed(what): value("grouped, 1M x 64: \(what)"; "pfifo") /
	value("merged, 1M x 64: \(what)"; "pfifo") | r;
def requests(config):
	[of("redis set throughput", "redis get throughput", "memcached throughput"; config) |
	 . * 1000 | round / 1000];
def requests_work: [of("redis, all", "memcached, all"; "reframer") | . * 1000 | round / 1000 | tostring];
# Calls of the qdisc in packets of a flood
def longest($call):
	value("all due, longest \($call)()"; "reframer noadaptive") /
	value("passing, 65536 flows"; "reframer noadaptive") | r;

# goal(NAME; TEXT; TARGET, and whether it is the least or the most; FIGURES; NOTE): a
# row, if that benchmark was run
def goal(name; text; bound; target; figures; note):
	select(.[name]) | .[name] | [(figures)? | values] as $f |
	($f | map(if bound == "least" then . >= target else . <= target end)) as $ok |
	"| \(text) | at \(bound) \(target) | \($f | map(tostring) | join(", "))\(
	[(note)?] | map("; " + .) | join("")) | \(
	if $f == [] then "not run" elif $ok | all then "yes" elif $ok | any then "in part"
	else "no" end) | \(name) |";

"<!-- bench: goals -->", "| what | goal | measured | reached | benchmark |", "|---|---|---|---|---|",
goal("cost"; "instructions of a packet without a hash, of fq's; 1, 16, 256, 4096 flows";
	"most"; 1; costs("reframer"; "fq")[]; empty),
goal("cost"; "the same with `delay 16us`"; "most"; 1; costs("reframer delay 16us"; "fq")[]; empty),
goal("cost"; "the same with `delay 0`"; "most"; 1; costs("reframer delay 0"; "fq")[]; empty),
goal("cost"; "instructions over noqueue, nothing worth holding; 1, 256, 4096 flows"; "most"; 350;
	value("over noqueue, \(1, 256, 4096) flows"; "reframer") | round; empty),
goal("cost"; "instructions, of those of netem slot with fq_codel"; "most"; 0.5;
	costs("reframer"; "netem slot")[]; empty),
goal("cost"; "instructions over a pfifo below prio, packets with a hash, 256 flows";
	"most"; 130; value("beyond forced pfifo, 256 flows, hashed"; "reframer") | round; empty),
goal("cost"; "instructions with 65536 flows, of those with 16"; "most"; 1.5;
	value("over noqueue, 65536 flows"; "reframer") /
	value("over noqueue, 16 flows"; "reframer") | r; empty),
goal("cost-time"; "ns of a packet without a hash, of fq's; 1, 16, 256, 4096 flows";
	"most"; 1; costs("reframer"; "fq")[]; empty),
goal("cost-time"; "the same with `delay 0`"; "most"; 1; costs("reframer delay 0"; "fq")[]; empty),
goal("cost-time"; "ns, of those of netem slot with fq_codel"; "most"; 0.5;
	costs("reframer"; "netem slot")[]; empty),
goal("chain"; "throughput of 16 trains, `delay 64us`, of pfifo's"; "least"; 5;
	chain(16; "reframer delay 64us") | r;
	"`slack 64us` \(chain(16; "reframer delay 64us slack 64us") | r)",
	"limit \(chain(16; "limit 64us") | r), through `delay 0` \(
	chain(16; "limit 64us, delay 0") | r)"),
goal("chain"; "the same, of netem slot with fq_codel, the better of 64us and 128us"; "least"; 1.5;
	chain(16; "reframer delay 64us") / rival(16) | r;
	"`slack 64us` \(chain(16; "reframer delay 64us slack 64us") / rival(16) | r)"),
goal("chain"; "throughput of 16 trains, `delay 128us`, of pfifo's"; "least"; 5.5;
	chain(16; "reframer delay 128us") | r;
	"limit \(chain(16; "limit 128us") | r), through `delay 0` \(
	chain(16; "limit 128us, delay 0") | r)"),
goal("chain"; "the same, of the better netem slot"; "least"; 1.9;
	chain(16; "reframer delay 128us") / rival(16) | r; empty),
goal("chain"; "throughput of 256 trains, `delay 128us`, of pfifo's"; "least"; 3;
	chain(256; "reframer delay 128us") | r;
	"`slack 128us` \(chain(256; "reframer delay 128us slack 128us") | r
	), with `noadaptive` \(chain(256; "reframer delay 128us slack 128us noadaptive") | r)",
	"limit \(chain(256; "limit 128us") | r), through `delay 0` \(
	chain(256; "limit 128us, delay 0") | r)"),
goal("chain"; "the same, of the better netem slot"; "least"; 1.35;
	chain(256; "reframer delay 128us") / rival(256) | r;
	"`slack 128us` \(chain(256; "reframer delay 128us slack 128us") / rival(256) | r
	), with `noadaptive` \(
	chain(256; "reframer delay 128us slack 128us noadaptive") / rival(256) | r)"),
goal("chain-cost"; "instructions, batches of 64, delay of 256 packets, of pfifo's: UDP, 16 trains";
	"most"; 0.43; instructions("udp, 16 trains"; "reframer delay 256 packets");
	"`nocoalesce` \(instructions("udp, 16 trains"; "reframer delay 256 packets nocoalesce"))"),
goal("chain-cost"; "UDP, 64 trains"; "most"; 0.46;
	instructions("udp, 64 trains"; "reframer delay 256 packets");
	"`nocoalesce` \(instructions("udp, 64 trains"; "reframer delay 256 packets nocoalesce"))"),
goal("chain-cost"; "TCP on links with TSO, 16 trains"; "most"; 0.32;
	instructions("tcp tso, 16 trains"; "reframer delay 256 packets");
	"`nocoalesce` \(instructions("tcp tso, 16 trains"; "reframer delay 256 packets nocoalesce"))"),
goal("chain-cost"; "TCP on links with TSO, 64 trains"; "most"; 0.52;
	instructions("tcp tso, 64 trains"; "reframer delay 256 packets");
	"`nocoalesce` \(instructions("tcp tso, 64 trains"; "reframer delay 256 packets nocoalesce"))"),
goal("chain-cost"; "the same between the routers, 16 trains"; "most"; 0.5;
	instructions("tcp tso, 16 trains"; "reframer delay 256 packets + in the chain");
	"delay of 1024 packets \(
	instructions("tcp tso, 16 trains"; "reframer delay 1024 packets + in the chain"))"),
goal("chain-cost"; "what the first router itself does, which has the qdisc, 16 trains"; "most"; 0.7;
	router(16; "reframer delay 256 packets");
	"`nocoalesce` \(router(16; "reframer delay 256 packets nocoalesce"))",
	"netem slot \(router(16; "slot 256 packets fq_codel quantum 60000"))"),
goal("chain-cost"; "TCP without TSO, 16 trains"; "most"; 0.65;
	instructions("tcp, 16 trains"; "reframer delay 256 packets"); limit("tcp, 16 trains")),
goal("chain-cost"; "TCP without TSO, 64 trains"; "most"; 0.85;
	instructions("tcp, 64 trains"; "reframer delay 256 packets"); limit("tcp, 64 trains")),
goal("chain-cost"; "UDP, 256 trains"; "most"; 0.85;
	instructions("udp, 256 trains"; "reframer delay 256 packets");
	"`slack DELAY noadaptive` \(instructions("udp, 256 trains";
		"reframer delay 256 packets slack 256 packets noadaptive"))",
	limit("udp, 256 trains")),
goal("chain-cost"; "TCP without TSO, 256 trains"; "most"; 0.9;
	instructions("tcp, 256 trains"; "reframer delay 256 packets"); limit("tcp, 256 trains")),
goal("chain-cost"; "of the better of netem slot with the same delay and `gro_flush_timeout`: UDP, 16 trains"; "most"; 0.65;
	to_rival("udp, 16 trains"; "reframer delay 256 packets"); beside_rival("udp, 16 trains")),
goal("chain-cost"; "the same, UDP, 64 trains"; "most"; 0.8;
	to_rival("udp, 64 trains"; "reframer delay 256 packets"); beside_rival("udp, 64 trains")),
goal("chain-cost"; "the same, TCP without TSO, 16, 64 trains"; "most"; 0.85;
	to_rival("tcp, 16 trains", "tcp, 64 trains"; "reframer delay 256 packets");
	beside_rival("tcp, 16 trains", "tcp, 64 trains")),
goal("chain-cost"; "new flows, 16 trains: netem slot's instructions, of reframer's"; "least"; 1.3;
	new_flows(16; 256; "slot 256 packets fq_codel quantum 60000") | r; empty),
goal("chain-cost"; "new flows, 16 trains: those of `slack DELAY noadaptive`"; "least"; 0.95;
	new_flows(16; 256; "reframer delay 256 packets slack 256 packets noadaptive") | r; empty),
goal("chain-cost"; "new flows, 256 trains, delay of 512 packets: the same"; "least"; 0.95;
	new_flows(256; 512; "reframer delay 512 packets slack 512 packets noadaptive") | r;
	"pfifo's \(new_flows(256; 512; "pfifo") | r)",
	"limit \(new_flows(256; 512; "limit 512 packets") | r)"),
goal("chain-cost"; "of all loads, the dearest: delay of 256 packets, the same between the routers"; "most"; 1;
	dearest("reframer delay 256 packets", "reframer delay 256 packets + in the chain");
	"`delay 0` \(dearest("reframer delay 0 packets")), \(
	dearest("reframer delay 0 packets + in the chain"))",
	"fq_codel \(dearest("fq_codel quantum 60000")), \(
	dearest("fq_codel quantum 60000 + in the chain"))"),
goal("web"; "requests for 1-MB files, of pfifo's, if the receiver's work is the bottleneck";
	"least"; 1.2; alone;
	"limit: trains that nothing has interleaved, \(unmixed("throughput of a receiver with a CPU of its own"))",
	"one CPU for all machines \(web("merged, 1M x 64")), limit \(unmixed("throughput"))"),
goal("web-veth"; "the same, receivers that poll packets one by one"; "least"; 1.2; alone;
	"one CPU for all machines \(web("merged, 1M x 64"))"),
goal("web"; "requests where nothing has interleaved the trains"; "least"; 0.97; web("grouped, 1M x 64");
	empty),
goal("web"; "throughput of one bulk flow"; "least"; 0.99; web("one bulk flow");
	"`delay 0` \(of("one bulk flow: throughput"; "reframer delay 0") | r)",
	"fq_codel \(of("one bulk flow: throughput"; "fq_codel") | r)"),
goal("rpc"; "redis SET, GET, memcached, of pfifo's requests, in instructions"; "least"; 0.99;
	requests("reframer")[]; "work for a request, redis, memcached \(requests_work | join(", "))",
	"fq " + (requests("fq") | map(tostring) | join(", "))),
goal("rpc-virtual"; "the same in virtual time, both ways"; "least"; 0.99;
	requests("reframer both ways")[]; empty),
goal("replay"; "public captures: packets that wait, in %"; "most"; 5;
	value("captures: held"; "reframer") | r;
	"of what GRO merges behind `noadaptive` \(value("captures: merged"; "reframer") /
	value("captures: merged"; "reframer noadaptive") | r)"),
goal("replay"; "1000 times as fast: per cent of what the optimum merges beyond pfifo"; "least"; 50;
	gained("captures, 1000 times as fast"; "reframer"); empty),
goal("cpus"; "packets of two threads on one queue, of fq's"; "least"; 1; of("two threads"; "reframer") | r;
	empty),
goal("cpus"; "packets of two threads with a queue each, of one thread's"; "least"; 1.8; value("two threads of one, mq"; "reframer") | r;
	"`delay 0` \(value("two threads of one, mq"; "reframer delay 0") | r)",
	"noqueue \(value("two threads of one, mq"; "noqueue") | r)"),
goal("floods"; "65536 flows due at once: the longest `enqueue()` and `dequeue()`, in packets";
	"most"; 64; longest("enqueue", "dequeue"); empty),
"<!-- end -->"
