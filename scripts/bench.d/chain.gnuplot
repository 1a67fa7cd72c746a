# SPDX-License-Identifier: GPL-2.0
# Draw the results of `scripts/bench chain`: throughput relative to pfifo by the number
# of trains, and by the delay; or of `chain-cost`: the cost of a packet.  Variables: dir,
# where NAME.json is, and name.
json = dir."/".name.".json"
ratio(config) = sprintf("< jq -r '.ratios | to_entries[] | \
	select(.key | test(\"^udp one by one, [0-9]+ trains: throughput\")) | \
	[(.key | capture(\"(?<n>[0-9]+)\").n), .value[\"%s\"] // empty] | \
	select(length == 2) | @tsv' %s | sort -n", config, json)
by_delay(pattern, trains) = sprintf("< jq -r '.ratios[\"udp one by one, %d trains: throughput\"] // {} | \
	to_entries[] | (.key | capture(\"^%s$\").us) as $us | [$us, .value] | @tsv' %s | sort -n", \
	trains, pattern, json)
cost(kind, trains) = sprintf("< jq -r '.rows[] | select(.config != \"tester alone\" and \
	.metric == \"%s, %d trains: cost of a packet\") | [.config, .median] | @tsv' %s", \
	kind, trains, json)
alone = "< jq -r '.rows[] | select(.config == \"tester alone\" and \
	(.metric | test(\"cost\"))).median' ".json

array Config[7] = ["pfifo + receivers 64us", \
	"slot 64us fq_codel quantum 60000", "slot 128us fq_codel quantum 60000", \
	"reframer delay 64us", "reframer delay 128us", \
	"reframer delay 64us slack 64us noadaptive", \
	"reframer delay 128us slack 128us noadaptive"]
colours = "#999999 #228833 #66ccee #4477aa #cc3311 #ee7733 #aa3377"
array Family[4] = ["slot (?<us>[0-9]+)us fq_codel quantum 60000", \
	"reframer delay (?<us>[0-9]+)us", "reframer delay (?<us>[0-9]+)us slack [0-9]+us noadaptive", \
	"reframer delay (?<us>[0-9]+)us \\\\+ in the chain"]
array Title[4] = ["netem slot + fq_codel", "reframer", "reframer, slack = delay, noadaptive", \
	"reframer in the chain"]

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1300,560 font "sans,11" noenhanced
	} else {
		set terminal svg size 1300,560 font "sans,11" noenhanced
	}
	set output dir."/".name.".".format
	set yrange [0:*]
	set grid y
	set datafile separator "\t"
	if (name eq "chain-cost") {
		set title "What a delivered packet costs, batches of 64"
		set xlabel "instructions, tester included"
		set xrange [0:*]
		lines = int(system(substr(cost("udp", 16), 2, -1)." | wc -l"))
		set yrange [lines - 0.5:-0.5]
		set key outside right
		plot cost("udp", 16) using 2:0:ytic(1) with points pt 7 ps 1.5 \
				lc rgb "#cc3311" title "udp, 16 trains", \
			cost("udp", 256) using 2:0 with points pt 6 ps 1.5 \
				lc rgb "#cc3311" title "udp, 256 trains", \
			cost("tcp", 16) using 2:0 with points pt 5 ps 1.3 \
				lc rgb "#4477aa" title "tcp without TSO, 16 trains", \
			cost("tcp", 256) using 2:0 with points pt 4 ps 1.3 \
				lc rgb "#4477aa" title "tcp without TSO, 256 trains", \
			alone using 1:(-0.5):(0):(lines) with vectors nohead dt 2 \
				lc rgb "#999999" title "tester alone"
	} else {
		set multiplot layout 1,2 title "UDP trains of 32 through two routers, one packet per poll: throughput over pfifo's"
		set key below maxrows 4
		set logscale x 2
		set xlabel "trains at once"
		set xtics (16, 64, 256, 1024)
		set xrange [12:1400]
		plot for [i = 1:7] ratio(Config[i]) using 1:2 with linespoints pt 7 \
			lc rgb word(colours, i) title Config[i]
		set xlabel "delay, us"
		set xtics (16, 64, 128, 256)
		set xrange [12:340]
		plot for [i = 1:4] by_delay(Family[i], 16) using 1:2 with linespoints \
			pt 7 lw 2 lc i title Title[i].", 16 trains", \
		     for [i = 1:4] by_delay(Family[i], 256) using 1:2 with linespoints \
			pt 6 lw 2 dt 2 lc i title Title[i].", 256 trains"
		unset multiplot
	}
}
