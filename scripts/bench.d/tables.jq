# SPDX-License-Identifier: GPL-2.0
# The tables of docs/benchmarks.md: of each benchmark the qdiscs and the figures that
# answer its question; all other rows are in docs/results.  Add a column or a qdisc
# here, then run `scripts/bench report`.
# Input: the JSON of all benchmarks, in one object by their names.
def figure: if . == null then "" else
	(fabs | if . >= 100 then 1 elif . >= 10 then 10 else 100 end) as $digits |
	. * $digits | round / $digits end;

# Of a row: median (least to most), without the latter if they are within 1 %
def spread: if .min == null or .max - .min <= 0.01 * (.median | fabs)
	then "\(.median | figure)"
	else "\(.median | figure) (\(.min | figure) to \(.max | figure))" end;

# Columns: a figure in units of `unit`, or relative to the qdisc that ratios are to
def column(title; bench; metric; unit): {title: title, bench: bench, metric: metric, unit: unit};
def column(title; bench; metric): column(title; bench; metric; 1);
def relative(title; bench; metric): column(title; bench; metric; null);

# .: all benchmarks
def cell($c; $config):
	.[$c.bench] as $b |
	([$b.rows[]? | select(.metric == $c.metric and .config == $config)][0]) as $row |
	$b.ratios[$c.metric][$config] as $ratio |
	if $c.unit == null then
		if $ratio == null then ""
		elif $row.min == null or $row.median == 0 then {median: $ratio} | spread
		else ($ratio / $row.median) as $of |
			{median: $ratio, min: ($row.min * $of), max: ($row.max * $of)} | spread end
	elif $row.median == null then ""
	else $row | with_entries(select(.key | IN("median", "min", "max"))) |
		map_values(. / $c.unit) | spread end;

# Configurations, and what they are called if not that
def qdiscs(rows): [rows | if type == "array" then {name: .[0], config: .[1]}
	else {name: ("`" + . + "`"), config: .} end];

# table(NAME; first column; qdiscs; columns): between the comments that frame it there
def table(name; what; qdiscs; columns):
	. as $all | [columns] as $columns |
	"<!-- bench: \(name) -->",
	"| \(what) | \($columns | map(.title) | join(" | ")) |",
	"|---" * ($columns | length + 1) + "|",
	(qdiscs[] | . as $q | [$columns[] | . as $c | $all | cell($c; $q.config)] |
		select(any(. != "")) | "| \($q.name) | \(join(" | ")) |"),
	"<!-- end -->";

# rows(NAME; HEAD; ROWS): the same of arrays of cells
def rows(name; head; rows):
	"<!-- bench: \(name) -->",
	"| \(head | join(" | ")) |",
	"|---" * (head | length) + "|",
	(rows | map(if type == "number" then figure else . end) | "| \(join(" | ")) |"),
	"<!-- end -->";

# Loads of the table of defaults
def defaults_loads: ["16 trains of 32", "1 Mpps, 16 trains"], (16, 64, 256 |
	["\(.) trains of 32, 4 Mpps", "4 Mpps, \(.)"]), ["campus", "campus"],
	["captures, 1000 times as fast", "captures, x1000"];

# All medians of a benchmark: {METRIC: {CONFIG: median}}
def medians(bench): reduce .[bench].rows[]? as $row ({}; .[$row.metric][$row.config] = $row.median);

# What the receivers' work on a packet costs, by what their GRO merges: measured with bursts
# of these lengths (chain-cost), and between them linear in the cost of a whole burst.
def lengths: [1, 2, 3, 4, 8, 16, 32];
def curve($kind): medians("chain-cost")["\($kind) bursts: cost of a packet"] as $m |
	[lengths[] | $m[if . == 1 then "pfifo" else "pfifo, bursts of \(.)" end]];
def at($n): . as $curve | ([5, (lengths | map(select(. <= $n)) | length - 1)] | min) as $i |
	lengths[$i] as $a | lengths[$i + 1] as $b | (($n - $a) / ($b - $a)) as $share |
	((1 - $share) * $a * $curve[$i] + $share * $b * $curve[$i + 1]) / $n;
# What the qdisc does for a packet more than for one that bypasses it, in floods: it is held
# with one of 16 flows, or it is the first one of its flow and is not held
def qdisc_work: medians("cost")["over noqueue, 1 flows, hashed"].reframer as $bypass |
	medians("floods") | {held: (.["passing, 16 flows"].reframer - $bypass),
		seen: (.["passing, each packet a flow"].reframer - $bypass)};
def percent: 100 * (1 - .) | round + 0 | "\(.) %";

def clock: if test("^env") then "none: the engine in user space, simulated time"
	elif test("--icount") then "QEMU with a clock of instructions"
	elif test("--time-travel") then "User-Mode Linux in virtual time"
	elif test("uml") then "User-Mode Linux at native speed"
	else "QEMU" end;

# Where the benchmarks ran, those of a kind in one row
def guests: "<!-- bench: guests -->",
	"| benchmarks | guest | kernel | on |", "|---|---|---|---|",
	(map(. + {clock: (.guest | clock)}) | group_by([.clock, .kernel, .machine])[] |
		"| \(map("`\(.bench)`") | join(", ")) | \(.[0].clock) | \(.[0].kernel) | \(.[0].machine) |"),
	"<!-- end -->";

guests,
table("chain"; "qdisc"; qdiscs("pfifo", ["`fq`", "fq quantum 60000"],
		["pfifo, receivers wait 64us", "pfifo + receivers 64us"],
		["netem slot 64us with `fq_codel`", "slot 64us fq_codel quantum 60000"],
		["netem slot 128us with `fq_codel`", "slot 128us fq_codel quantum 60000"],
		"reframer delay 16us", "reframer delay 64us", "reframer delay 128us",
		"reframer delay 64us slack 64us noadaptive",
		"reframer delay 128us slack 128us noadaptive",
		["`reframer delay 64us` in the chain", "reframer delay 64us + in the chain"],
		["limit: grouped by the tester, 64us", "limit 64us"],
		["limit through `reframer delay 0`", "limit 64us, delay 0"]);
	(("UDP, 16 trains", "TCP TSO, 16 trains", "TCP, 16 trains", "UDP one by one, 16 trains",
		"UDP one by one, 256 trains", "TCP one by one, 16 trains",
		"TCP one by one, 256 trains") as $load |
	relative($load; "chain"; "\($load | sub("UDP"; "udp") | sub("TCP"; "tcp") |
		sub("TSO"; "tso")): throughput")),
	column("p99 at half load, 16 trains, us"; "chain";
		"half load, 16 trains: latency, p99")),
table("batches"; "qdisc"; qdiscs("pfifo",
		["pfifo, receivers wait", "pfifo + receivers 256 packets"],
		((256, 512) as $n | ["netem slot with `fq_codel`, \($n) packets",
			"slot \($n) packets fq_codel quantum 60000"]),
		((256, 512) as $n | ["`reframer`, \($n) packets", "reframer delay \($n) packets"]),
		["`reframer nocoalesce`, 256 packets", "reframer delay 256 packets nocoalesce"],
		((256, 1024) as $n | ["`reframer`, \($n) packets, in the chain",
			"reframer delay \($n) packets + in the chain"]));
	(("udp", "tcp", "tcp tso") as $kind | (16, 64, 256) as $trains |
	relative("\($kind | ascii_upcase), \($trains)"; "chain-cost";
		"\($kind), \($trains) trains: cost of a packet"))),
table("hashed"; "qdisc"; qdiscs("pfifo",
		["pfifo, receivers wait", "pfifo + receivers 256 packets"],
		["netem slot with `fq_codel`, 256 packets", "slot 256 packets fq_codel quantum 60000"],
		["`reframer`, 256 packets", "reframer delay 256 packets"],
		["`reframer nocoalesce`, 256 packets", "reframer delay 256 packets nocoalesce"]);
	(("udp", "tcp") as $kind | (16, 64, 256) as $trains |
	relative("\($kind | ascii_upcase), \($trains)"; "chain-cost";
		"\($kind) hashed, \($trains) trains: cost of a packet"))),
((["cards", null], ["cards-segments", 1]) as [$table, $unit] |
table($table; "qdisc"; qdiscs("pfifo", ["`fq_codel`", "fq_codel quantum 60000"],
		["pfifo, receivers wait", "pfifo + receivers 256 packets"],
		["netem slot with `fq_codel`, 256 packets", "slot 256 packets fq_codel quantum 60000"],
		["`reframer`, 64 packets", "reframer delay 64 packets"],
		["`reframer`, 256 packets", "reframer delay 256 packets"],
		["`reframer nocoalesce`, 256 packets", "reframer delay 256 packets nocoalesce"]);
	(("e1000e", "virtio-net") as $card | ("udp", "tcp") as $kind | (16, 64) as $trains |
	"\($kind), \($trains) trains: \(if $unit then "segments per packet" else "cost of a packet" end)"
		as $metric |
	column("\($card), \($kind | ascii_upcase), \($trains)"; "chain-\($card)"; $metric; $unit)))),
table("bursts"; "bursts of"; qdiscs(["1 packet", "pfifo"],
		((2, 3, 4, 8, 16, 32) as $n | ["\($n)", "pfifo, bursts of \($n)"]));
	(("udp", "tcp", "tcp tso") as $kind | column($kind | ascii_upcase; "chain-cost";
		"\($kind) bursts: cost of a packet"))),
table("cost"; "qdisc"; qdiscs("pfifo", ["`pfifo` below prio", "forced pfifo"],
		["`fq_codel` below prio", "forced fq_codel"], "fq", "cake",
		["netem slot 64us with `fq_codel`", "netem slot"],
		"reframer delay 0", "reframer delay 16us",
		["`reframer` (delay 64us)", "reframer"], "reframer noadaptive");
	((1, 16, 256, 4096) as $n |
		column("\($n) \(if $n == 1 then "flow" else "flows" end)"; "cost";
			"over noqueue, \($n) flows")),
	((16, 256) as $n | column("\($n) flows, ns"; "cost-time";
		"over noqueue, \($n) flows"))),
table("cpus"; "qdisc"; qdiscs(["none (`noqueue`)", "noqueue"],
		["`pfifo` below prio", "forced pfifo"],
		["`fq_codel` below prio", "forced fq_codel"], "fq",
		["netem slot 64us with `fq_codel`", "netem slot"],
		"reframer delay 0", "reframer", "reframer delay 2ms");
	column("1 thread"; "cpus"; "one thread"; 1000),
	column("2 threads, 1 qdisc"; "cpus"; "two threads"; 1000),
	column("of 1 thread"; "cpus"; "two threads of one"),
	column("2 threads, 2 qdiscs"; "cpus"; "two threads, mq"; 1000),
	column("of 1 thread"; "cpus"; "two threads of one, mq")),
table("floods"; "qdisc"; qdiscs("pfifo", "fq", "fq_codel", "reframer", "reframer noadaptive");
	column("passing, 16 flows"; "floods"; "passing, 16 flows"),
	column("passing, new flows"; "floods"; "passing, each packet a flow"),
	column("full, 16 flows"; "floods"; "full, 16 flows"),
	column("full, 65536 flows"; "floods"; "full, 65536 flows"),
	column("full, new flows"; "floods"; "full, each packet a flow"),
	column("full, 65536 that collide"; "floods"; "full, 65536 flows in one set")),
table("local"; "qdisc"; qdiscs("pfifo", "fq", "reframer", "reframer nopush noadaptive",
		"reframer delay 1ms", "reframer delay 1ms nopush noadaptive");
	(("on", "off") as $tso | "throughput, tso \($tso)" as $metric |
	column("TSO \($tso), Mb/s"; "local"; $metric),
	relative("of pfifo"; "local"; $metric))),
table("locality"; "qdisc"; qdiscs(["the optimum", "greedy"],
		["netem slot with `fq_codel`", "netem slot"], "reframer",
		"reframer noadaptive", "reframer noadaptive slack 0");
	(("mixed", "mixed, nopush", "16 trains of 32", "16 flows", "64 flows",
		"256 flows") as $traffic |
	column($traffic | sub("mixed"; "recorded") | sub("nopush"; "no PSH");
		"locality"; "\($traffic), 64 us"))),
(["pfifo", ["netem slot 64us with `fq_codel`", "netem-slot"], "reframer",
		["`reframer noadaptive`", "reframer-noadaptive"]] as $rows |
	table("mixed"; "qdisc"; qdiscs($rows[]);
		column("mean run, packets"; "mixed"; "locality"),
		(("mice", "trains") as $of | ("median", "maximum") as $which |
		column("\($of) wait, \($which), us"; "mixed"; "\($of), added latency, \($which)"))),
	table("mixed-polls"; "qdisc"; qdiscs($rows[]);
		((", polls of 8", ", polls of 64", ", one by one") as $polls |
		($polls | ltrimstr(", ")) as $name |
		column("\($name): mean run"; "mixed"; "locality\($polls)"),
		column("mice wait, maximum, us"; "mixed"; "mice, added latency, maximum\($polls)"),
		column("trains wait, median, us"; "mixed"; "trains, added latency, median\($polls)")))),
(["pfifo", ["`fq` toward the servers", "fq"],
		["netem slot 64us with `fq_codel`, toward the servers", "netem slot"],
		["pfifo, servers with `gro_flush_timeout`", "gro_flush_timeout"],
		["`reframer` toward the servers", "reframer"], ["`fq` both ways", "fq both ways"],
		["`reframer` both ways", "reframer both ways"]] as $rows |
	def requests(bench; polls; what): ("redis set", "redis get", "memcached") as $load |
		relative(($load | sub("set"; "SET") | sub("get"; "GET")) + what; bench;
			"\($load) throughput\(polls)");
	def work(bench; polls; what): ("redis", "memcached") as $load |
		relative("\($load), work\(what)"; bench; "\($load), all\(polls)");
	table("rpc"; "qdisc"; qdiscs($rows[]); requests("rpc"; ""; ""), work("rpc"; ""; ""),
		requests("rpc"; ", polls of 32"; ", polls of 32"),
		work("rpc"; ", polls of 32"; ", polls of 32")),
	table("rpc-veth"; "qdisc"; qdiscs($rows[]); requests("rpc-veth"; ""; ""),
		work("rpc-veth"; ""; ""), requests("rpc-virtual"; ""; ", virtual time"))),
table("slack"; "slack"; qdiscs((0, 16, 32, 64) as $n | ["`slack \($n)us`", "slack \($n)"]);
	column("ns per packet"; "slack"; "cost of a packet"),
	column("timers per 1000 packets"; "slack"; "timers per 1000 packets"),
	column("mean burst, packets"; "slack"; "mean burst"),
	column("mean hold, us"; "slack"; "mean hold of a release")),
# The work of those who receive the data: of writes the server, of reads the clients
(["pfifo", "fq_codel", ["netem slot with `fq_codel`", "netem slot"],
		["pfifo, `gro_flush_timeout`", "gro_flush_timeout"], "reframer",
		"reframer nocoalesce"] as $rows |
	def loads: (("", ", tso") as $tso | ("nfs", "nvme") as $protocol | ("write", "read") as $way |
		{load: "\($protocol) \($way)\($tso)", receiver: {write: "server", read: "clients"}[$way],
		 title: "\($protocol | sub("nfs"; "NFS") | sub("nvme"; "NVMe")) \($way)\($tso | ascii_upcase)"});
	table("storage"; "qdisc"; qdiscs($rows[]);
		(loads | relative(.title; "storage"; "\(.load): \(.receiver)"))),
	table("storage-all"; "qdisc"; qdiscs($rows[]);
		(loads | relative(.title; "storage"; "\(.load): all"))),
	table("storage-small"; "qdisc"; qdiscs($rows[]);
		((["nfs", "NFS"], ["nvme", "NVMe"]) as [$protocol, $name] |
		relative("\($name) alone, work"; "storage"; "\($protocol) 4k: all"),
		(("median", "p99") as $of |
		relative("\($of)"; "storage"; "\($protocol) 4k: 4-KB read, \($of)")),
		(("write", "read") as $way |
		relative("beside \($way)s, median"; "storage"; "\($protocol) \($way): 4-KB read, median"))))),
(["pfifo", "fq_codel", ["`fq`", "fq quantum 60000"],
		["netem slot with `fq_codel`", "netem slot"],
		["pfifo, `gro_flush_timeout`", "gro_flush_timeout"], "reframer",
		"reframer delay 0"] as $rows |
	(("web", "web-veth") as $bench | table($bench; "qdisc"; qdiscs($rows[]);
		relative("1 MB, receiver's work"; $bench;
			"merged, 1M x 64: throughput of a receiver with a CPU of its own"),
		relative("1 MB"; $bench; "merged, 1M x 64: throughput"),
		relative("16 KB"; $bench; "merged, 16K x 64: throughput"),
		relative("1 KB"; $bench; "merged, 1K x 64: throughput"),
		relative("one bulk flow"; $bench; "one bulk flow: throughput"),
		relative("1 MB, p99 of completion"; $bench; "merged, 1M x 64: completion, p99"))),
	table("web-polls"; "qdisc"; qdiscs($rows[]);
		((8, 32, 64) as $n | "slow link, polls of \($n), 1M x 64" as $load |
		relative("polls of \($n): receiver's work"; "web"; "\($load): receiver"),
		relative("all machines'"; "web"; "\($load): all"),
		column("GRO makes one of"; "web"; "\($load): packets that GRO merges into one")))),
# The paper's table: NSDI 2022, chain off-path
(medians("campus") as $m | medians("campus-cost") as $cost |
rows("campus"; ["qdisc", "SLF", "in the paper", "wait, median, us", "p99, us", "UDP", "UDP, hashed",
		"TCP TSO", "in the paper, of 6527 cycles"];
	["pfifo", null, "1.19", 1],
	["pfifo + receivers 64us", "pfifo, receivers wait 64us"],
	["reframer delay 0us", "`reframer delay 0`"],
	((16, 64, 128) as $n | ["slot \($n)us fq_codel quantum 60000", "netem slot \($n)us with `fq_codel`"]),
	((16, 64, 128) as $n | ["reframer delay \($n)us"]),
	([16, "1.94", 0.66], [64, "2.88", 0.53], [128, "3.45", 0.49] |
		["reframer delay \(.[0])us noadaptive nopush", null, .[1], .[2]]) |
	. as [$config, $title, $slf, $cycles] |
	[$title // "`\($config)`", $m["campus: locality"][$config], $slf // "",
		($m["campus: latency, median", "campus: latency, p99"][$config]),
		(("udp", "udp hashed", "tcp tso") as $kind | $cost["\($kind), campus: cost of a packet"] |
			(.[$config] / .pfifo)? // ""), $cycles // ""])),
(medians("replay") as $m | {udp: curve("udp"), tcp: curve("tcp")} as $curves | qdisc_work as $qdisc |
# Instructions for a packet: at receivers under load, which poll 64 packets at once, or idle
# ones, which poll a burst; and in the qdisc
def polls($kind; $load; $config): [range(lengths | length) as $i | lengths[$i] *
	$curves[$kind][$i] * $m["\($load): segments of \(lengths[$i])"][$config] / 1000] | add;
def bursts($kind; $load; $config): $curves[$kind] | at($m["\($load): locality"][$config]);
def queued($load; $config): [$m["\($load): held", "\($load): bypass"][$config] / 100] |
	.[0] * $qdisc.held + (1 - .[0] - .[1]) * $qdisc.seen;
# Of pfifo's
def busy($kind; $load; $config): (polls($kind; $load; $config) + queued($load; $config)) /
	polls($kind; $load; "pfifo");
def idle($kind; $load; $config): (bursts($kind; $load; $config) + queued($load; $config)) /
	bursts($kind; $load; "pfifo");
rows("captures"; ["speed", "qdisc", "wait, %", "wait alone, %", "mean wait, us", "p99, us", "merged, %",
		"SLF"];
	("captures", "captures, \(10, 100, 1000) times as fast") as $load |
	["pfifo", "`pfifo`"], ["reframer", "`reframer`"],
	("reframer noadaptive", "reframer noadaptive nopush" | [., "`\(.)`"]),
	["oracle", "holds only what pays"], ["optimum", "the optimum"] |
	. as [$config, $title] |
	[($load | capture("(?<n>[0-9]+)").n? // "1") , $title,
		(("held", "held alone", "mean hold", "p99 hold", "merged", "locality") as $what |
			if $config == "optimum" and $what != "merged" then "" else
				$m["\($load): \($what)"][$config] end)]),
rows("defaults"; ["", (defaults_loads | .[1])];
	(64, 128, 256) as $delay | (8, 16, 32, 64) as $burst |
	"delay \($delay)us burst \($burst)" as $config |
	["`\($config)`", (defaults_loads[0] as $load |
		"\(busy("udp"; $load; $config) | figure); \(
		$m["\($load): median hold"][$config] | round), \($m["\($load): p99 hold"][$config] | round)")]),
rows("helps"; ["packets per delay and flow", "expected burst", "`reframer`'s", "wait, median, us",
		"UDP, busy receivers", "UDP, idle", "TCP, busy", "TCP, idle"];
	(1024, 512, 256, 128, 64, 32, 16) as $flows | "\($flows) flows" as $load | "reframer" as $config |
	[256 / $flows, 1 + 256 / $flows, $m["\($load): locality", "\($load): median hold"][$config],
		(("udp", "tcp") as $kind | busy($kind; $load; $config), idle($kind; $load; $config) |
			percent)]))
