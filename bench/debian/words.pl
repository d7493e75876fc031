# SPDX-License-Identifier: GPL-2.0-or-later
# Holds which word follows which, and how often, in Perl's own library and the package lists.
use strict;
use warnings;

my (%follows, $last);
my $words = 0;
for my $path (split(/\n/, `find /usr/share/perl /usr/lib/x86_64-linux-gnu/perl* -name '*.p[lm]' | sort`),
              glob("/var/lib/apt/lists/*_Packages")) {
    open(my $file, "<", $path) or die "$path: $!";
    while (my $line = <$file>) {
        for my $word ($line =~ /[A-Za-z][A-Za-z0-9+.-]+/g) {
            $follows{$last}{$word}++ if defined $last;
            $last = $word;
            $words++;
        }
        last if $words > 2000000;
    }
}
open(my $ready, ">", "ready/words") or die $!;
print $ready "$words words\n";
close($ready);
sleep while 1;
