# SPDX-License-Identifier: GPL-2.0
# Draw the results of `scripts/bench cpus`: packets per second of one pktgen thread, of
# two on one qdisc, and of two with a qdisc each.  Variables: dir, where NAME.json is, and
# name.
array Metric[3] = ["one thread", "two threads", "two threads, mq"]
array Title[3] = ["one thread", "two threads, one qdisc", "two threads, two qdiscs (mq)"]
array Colour[3] = ["#999999", "#4477aa", "#cc3311"]
rows(metric) = sprintf("< jq -r '.rows[] | select(.metric == \"%s\") | \
	[.config, .median / 1e3, .min / 1e3, .max / 1e3] | @tsv' %s/%s.json", metric, dir, name)

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1100,420 font "sans,11" noenhanced
	} else {
		set terminal svg size 1100,420 font "sans,11" noenhanced
	}
	set output dir."/".name.".".format
	set title "pktgen on two CPUs"
	set datafile separator "\t"
	set style data histogram
	set style histogram errorbars gap 1 lw 1
	set style fill solid 0.9
	set yrange [0:*]
	set ylabel "1000 packets/s"
	set grid y
	set key above
	plot for [i = 1:3] rows(Metric[i]) using 2:3:4:xtic(1) title Title[i] \
		lc rgb Colour[i]
}
