# SPDX-License-Identifier: GPL-2.0
#
# Draws the order of packets that scripts/demo captured, as order.png and
# order.svg.  Variables, set by -e: dir, the directory of order-*.txt, and slf, the
# localities in the order of the panels.

array Title[4] = ["arriving at the router", "leaving through pfifo", \
	"leaving through fq\\_codel", "leaving through reframer"]
array File[4] = ["reframer-in", "pfifo-out", "fq_codel-out", "reframer-out"]

# Flows with neighbouring numbers get colours that differ much.
hue(flow) = flow * 0.381966
colour(flow) = hsv2rgb(hue(flow) - floor(hue(flow)), 0.75, 0.80)

set style fill solid noborder
set xrange [0.5:400.5]
set yrange [17:0]
set border 3 lc rgb "#888888"
set xtics 50 nomirror scale 0.3 tc rgb "black" font "DejaVu Sans,9"
set ytics ("1" 1, "4" 4, "8" 8, "12" 12, "16" 16) nomirror scale 0.3 \
	tc rgb "black" font "DejaVu Sans,9"
set ylabel "connection" offset 1
unset key

do for [type in "png svg"] {
	if (type eq "png") {
		set terminal pngcairo size 1300, 840 font "DejaVu Sans,11"
	} else {
		set terminal svg size 1300, 840 font "DejaVu Sans,11" background "white"
	}
	set output sprintf("%s/order.%s", dir, type)
	set multiplot layout 4, 1 title "{/:Bold=15 16 iperf3 connections " . \
		"through a router: 400 consecutive packets}\n{/=11 one mark " . \
		"is one packet, one row and colour is one connection}" \
		margins 0.055, 0.985, 0.065, 0.9 spacing 0, 0.075
	do for [i = 1:4] {
		set title sprintf("{/:Bold %s}      mean run of one " . \
			"connection: {/:Bold %.1f packets}", Title[i], \
			real(word(slf, i))) offset 0, -0.6
		if (i == 4) {
			set xlabel "position in the sequence of packets" offset 0, 0.5
		} else {
			unset xlabel
		}
		plot sprintf("%s/order-%s.txt", dir, File[i]) \
			using 1:2:(0.5):(0.45):(colour($2)) \
			with boxxyerror lc rgb variable
	}
	unset multiplot
	unset output
}
