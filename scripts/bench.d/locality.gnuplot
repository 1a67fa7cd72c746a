# SPDX-License-Identifier: GPL-2.0
# Draw the results of `scripts/bench locality`: the mean run of packets of a flow by the
# delay.  Variables: dir, where NAME.json is, and name.
array Config[5] = ["greedy", "reframer noadaptive slack 0", "reframer noadaptive", \
	"reframer", "netem slot"]
array Title[5] = ["greedy optimum", "reframer noadaptive slack 0", \
	"reframer noadaptive", "reframer", "netem slot + fq_codel"]
array Colour[5] = ["#999999", "#4477aa", "#ee9977", "#cc3311", "#aa3377"]
array Traffic[6] = ["mixed", "mixed, nopush", "16 trains of 32", "16 flows", \
	"64 flows", "256 flows"]
rows(traffic, config) = sprintf("< jq -r '.rows[] | select(.config == \"%s\") | \
	(.metric | capture(\"^%s, (?<us>[0-9]+) us$\")) as $m | \
	[$m.us, .median] | @tsv' %s/%s.json", config, traffic, dir, name)

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1200,720 font "sans,11" noenhanced
	} else {
		set terminal svg size 1200,720 font "sans,11" noenhanced
	}
	set output dir."/".name.".".format
	set multiplot layout 2,3 title "Mean run of packets of a flow"
	set xtics 64
	set xrange [0:262]
	set yrange [0:*]
	set grid y
	set xlabel "delay, us"
	set ylabel "packets"
	do for [t = 1:6] {
		set title Traffic[t]
		if (t == 1) { set key top left reverse Left samplen 2 } else { unset key }
		plot for [i = 1:5] rows(Traffic[t], Config[i]) using 1:2 \
			with linespoints pt 7 ps 0.6 lw (i == 1 ? 6 : 2) \
			lc rgb Colour[i] title Title[i]
	}
	unset multiplot
}
