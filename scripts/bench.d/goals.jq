# SPDX-License-Identifier: GPL-2.0
# Goals and results: rows of the table in docs/benchmarks.md.  Input: one object with the
# JSON of each benchmark that was run, by name.
def r: . * 100 | round / 100;
def of(metric; config): .ratios[metric][config];
def value(metric; config):
	.rows[] | select(.metric == metric and .config == config).median;

def cost(flows; config):
	if config == "fq" then 1 else of("over noqueue, \(flows) flows"; config) end;
def costs(config; rival): . as $b | [1, 16, 256, 4096 | . as $n | $b |
	(cost($n; config) / cost($n; rival))? // empty | r] | join(", ");
def chain(trains; config): of("udp, \(trains) trains: throughput"; config);
def rival(trains):
	[chain(trains; "slot 64us fq_codel quantum 60000", "slot 128us fq_codel quantum 60000")] | max;
def saved(trains; config): 1 / of("udp, \(trains) trains: cost of a packet"; config) | r;
def web(load): of("\(load): throughput"; "reframer") | r;
def requests(config):
	[of("redis set throughput", "redis get throughput", "memcached throughput"; config) |
	 . * 1000 | round / 1000] | join(", ");

def alone: of("merged, 1M x 64: throughput of a receiver with a CPU of its own";
	"reframer") | r;

# goal(NAME; GOAL; RESULT): a row, if that benchmark was run
def goal(name; text; measured):
	select(.[name]) | "| \(text) | \(.[name] | measured) | \(name) |";

goal("cost"; "instructions of a packet without a hash: 1.0 of fq; 1, 16, 256, 4096 flows";
	costs("reframer"; "fq")),
goal("cost"; "with `delay 16us`"; costs("reframer delay 16us"; "fq")),
goal("cost"; "with `delay 0`"; costs("reframer delay 0"; "fq")),
goal("cost"; "0.5 of netem slot with fq_codel"; costs("reframer"; "netem slot")),
goal("cost"; "own instructions beyond a pfifo below prio and the hash, 256 flows: 130";
	value("beyond forced pfifo, 256 flows, hashed"; "reframer") | round),
goal("cost"; "65536 flows: 1.5 times 16 flows";
	(value("over noqueue, 65536 flows"; "reframer") /
	 value("over noqueue, 16 flows"; "reframer")) // "not run" | if type == "number" then r else . end),
goal("cost-time"; "ns of a packet without a hash: 1.0 of fq"; costs("reframer"; "fq")),
goal("cost-time"; "with `delay 0`"; costs("reframer delay 0"; "fq")),
goal("cost-time"; "0.5 of netem slot with fq_codel"; costs("reframer"; "netem slot")),
goal("cpus"; "two threads on one queue: no worse than fq";
	of("two threads"; "reframer") | r),
goal("cpus"; "two queues: 1.8 times one";
	"\(value("two threads of one, mq"; "reframer") | r); `delay 0` \(value(
	"two threads of one, mq"; "reframer delay 0") | r); noqueue \(value(
	"two threads of one, mq"; "noqueue") | r)"),
goal("chain"; "16 trains, 64us: 5.0 times pfifo";
	"\(chain(16; "reframer delay 64us") | r); `slack 64us` \(chain(16;
	"reframer delay 64us slack 64us") | r); limit \(chain(16; "limit 64us") | r), hashed and queued \(
	chain(16; "limit 64us, delay 0") | r)"),
goal("chain"; "and 1.5 times the best rival, netem slot of 64us or 128us with fq_codel";
	rival(16) as $rival |
	"\(chain(16; "reframer delay 64us") / $rival | r); `slack 64us` \(chain(16;
	"reframer delay 64us slack 64us") / $rival | r)"),
goal("chain"; "256 trains, 128us: 3.0 times pfifo";
	"\(chain(256; "reframer delay 128us") | r); `slack 128us` \(chain(256;
	"reframer delay 128us slack 128us") | r), also `noadaptive` \(chain(256;
	"reframer delay 128us slack 128us noadaptive") | r); limit \(chain(256;
	"limit 128us") | r), hashed and queued \(chain(256; "limit 128us, delay 0") | r)"),
goal("chain"; "and 1.35 times the best rival";
	rival(256) as $rival |
	"\(chain(256; "reframer delay 128us") / $rival | r); `slack 128us` \(chain(256;
	"reframer delay 128us slack 128us") / $rival | r), also `noadaptive` \(chain(256;
	"reframer delay 128us slack 128us noadaptive") / $rival | r)"),
goal("chain-cost"; "the first in instructions";
	"\(saved(16; "reframer delay 256 packets")); limit \(saved(16; "limit 256 packets"))"),
goal("chain-cost"; "256 trains";
	"\(saved(256; "reframer delay 512 packets")); `slack DELAY noadaptive` \(saved(256;
	"reframer delay 512 packets slack 512 packets noadaptive")); limit \(saved(256;
	"limit 512 packets"))"),
goal("web"; "files of 1 MB, the receiver's work the bottleneck: 1.2 of pfifo";
	"\(alone); all machines' work \(web("merged, 1M x 64"))"),
goal("web"; "completion time 0.89 of pfifo, the receiver's work the bottleneck (its inverse)";
	1 / alone | r),
goal("web"; "what is grouped already: 0.97 of pfifo"; web("grouped, 1M x 64")),
goal("web"; "one bulk flow: 0.97 of pfifo"; web("one bulk flow")),
goal("rpc"; "redis set, get, memcached: 0.99 of pfifo in instructions";
	"\(requests("reframer")); fq \(requests("fq"))"),
goal("rpc-virtual"; "redis set, get, memcached in virtual time, both ways";
	requests("reframer both ways")),
goal("floods"; "65536 flows due at once: 64 packets' worth under the lock";
	value("passing, 65536 flows"; "reframer noadaptive") as $packet |
	[value("all due, longest enqueue()", "all due, longest dequeue()";
		"reframer noadaptive") / $packet | r] |
	"enqueue() \(.[0]), dequeue() \(.[1])")
