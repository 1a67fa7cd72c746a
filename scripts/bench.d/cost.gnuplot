# SPDX-License-Identifier: GPL-2.0
# Draw the results of `scripts/bench cost` or `cost-time`: the cost of a packet, minus
# that with noqueue, by the number of flows.  Variables: dir, where NAME.json is, and name.
all = "'forced pfifo' 'forced sfq' fq 'forced fq_codel' cake 'netem slot' \
	'reframer delay 16us' reframer 'reframer delay 0'"
colours = "#999999 #66ccee #4477aa #228833 #ccbb44 #aa3377 #ff9999 #cc3311 #ffbbaa"
rows(config, hashed) = sprintf("< jq -r '.rows[] | select(.config == \"%s\") | \
	(.metric | capture(\"^over noqueue, (?<flows>[0-9]+) flows%s$\")) as $m | \
	[$m.flows, .median] | @tsv' %s/%s.json", config, hashed, dir, name)
configs = ""
lines = ""
do for [i = 1:words(all)] {
	if (system(sprintf("jq 'any(.rows[]; .config == \"%s\")' %s/%s.json", \
		word(all, i), dir, name)) eq "true") {
		configs = configs." '".word(all, i)."'"
		lines = lines." ".word(colours, i)
	}
}
unit = system(sprintf("jq -r '.rows[0].unit' %s/%s.json", dir, name))

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1200,520 font "sans,11" noenhanced
	} else {
		set terminal svg size 1200,520 font "sans,11" noenhanced
	}
	set output dir."/".name.".".format
	set multiplot layout 1,2 title "What a packet costs over noqueue"
	set logscale x 2
	set xtics (1, 16, 256, 4096, 65536)
	set xrange [0.7:90000]
	set yrange [0:*]
	set xlabel "flows"
	set ylabel unit." per packet"
	set grid y
	set key below maxrows 3
	do for [hashed in "'' ', hashed'"] {
		set title hashed eq "" ? "packets without a hash" : "packets with a hash"
		plot for [i = 1:words(configs)] rows(word(configs, i), hashed) \
			using 1:2 with linespoints pt 7 ps 0.7 \
			lw (word(configs, i) eq "reframer" ? 3 : 1.5) \
			lc rgb word(lines, i) title word(configs, i)
	}
	unset multiplot
}
