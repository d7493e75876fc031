# SPDX-License-Identifier: GPL-2.0-or-later
# Prints the package lists as rows for packages.sql.
use strict;
use warnings;

my @columns = qw(Package Version Section Maintainer Installed-Size Depends Homepage Filename SHA256 Description);
local $/ = "";
for my $path (sort glob("/var/lib/apt/lists/*_Packages")) {
    open(my $file, "<", $path) or die "$path: $!";
    while (my $stanza = <$file>) {
        my %field = $stanza =~ /^([\w-]+): ([^\n\t"]*)/mg;
        print join("\t", map { $_ // "" } @field{@columns}), "\n";
    }
}
