# SPDX-License-Identifier: GPL-2.0
# Draw what `scripts/bench storage` measured: the work per byte relative to pfifo's median,
# median with least and most, of those who receive the data and of all machines.
# dir, name: where NAME.json is.
all = "fq_codel 'netem slot' gro_flush_timeout reframer 'reframer nocoalesce'"
hues = "#228833 #aa3377 #ccbb44 #cc3311 #4477aa"
configs = ""
colours = ""
do for [i = 1:words(all)] {
	if (system(sprintf("jq 'any(.rows[]; .config == \"%s\")' %s/%s.json", \
		word(all, i), dir, name)) eq "true") {
		configs = configs." '".word(all, i)."'"
		colours = colours." ".word(hues, i)
	}
}
# rows(config, who): a line for each load, "NaN" where there is none
rows(config, who) = sprintf("< jq -r --arg config '%s' --arg who %s '\
	.rows as $rows | (\"\", \", tso\") as $tso | (\"nfs\", \"nvme\") as $protocol | \
	(\"write\", \"read\") as $way | \"\\($protocol) \\($way)\\($tso)\" as $load | \
	\"\\($load): \\(if $who == \"all\" then $who elif $way == \"write\" then \"server\" \
		else \"clients\" end)\" as $metric | \
	def row(config): first($rows[] | select(.metric == $metric and .config == config)); \
	[$load, ([row($config)] | if . == [] then \"NaN\", \"NaN\", \"NaN\" else \
		(.[0] | .median, .min, .max) / row(\"pfifo\").median end)] | @tsv' %s/%s.json", \
	config, who, dir, name)

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1300,800 font "sans,10" noenhanced
	} else {
		set terminal svg size 1300,800 font "sans,10" noenhanced
	}
	set output dir."/".name.".".format
	set multiplot layout 2,1
	set datafile separator "\t"
	set style data histogram
	set style histogram errorbars gap 1 lw 1
	set style fill solid 0.9
	set yrange [0:*]
	set offsets 0, 0, graph 0.1, 0
	set xtics scale 0
	set grid y
	set key outside right
	array Who[2] = ["receiver", "all"]
	array Title[2] = ["Instructions per byte of those who receive the data, relative to pfifo", \
		"Instructions per byte of all machines, relative to pfifo"]
	do for [i = 1:2] {
		set title Title[i]
		plot for [c = 1:words(configs)] rows(word(configs, c), Who[i]) using 2:3:4:xtic(1) \
			lc rgb word(colours, c) title word(configs, c), \
			1 with lines lc rgb "#999999" title "pfifo"
	}
	unset multiplot
}
