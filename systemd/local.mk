# SPDX-License-Identifier: GPL-2.0-or-later
# Units name installed programs, so they are made here and not by configure, which does not expand prefixes.
UNITS = systemd/hibernated.service systemd/hibernated-disarm.service
SYSUSERS = systemd/hibernated.conf
UDEVRULES = systemd/65-hibernated.rules
systemdsystemunit_DATA = $(UNITS)
sysusers_DATA = $(SYSUSERS)
udevrules_DATA = $(UDEVRULES)
EXTRA_DIST += systemd/hibernated.service.in systemd/hibernated-disarm.service.in systemd/hibernated.sysusers.in \
	systemd/65-hibernated.rules.in
CLEANFILES += $(UNITS) $(SYSUSERS) $(UDEVRULES)

MAKE_UNIT = $(AM_V_GEN)$(MKDIR_P) systemd && sed -e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@WORKER_USER[@]|$(WORKER_USER)|g' $< >$@.new && mv $@.new $@

systemd/hibernated.service: systemd/hibernated.service.in Makefile
	$(MAKE_UNIT)
systemd/hibernated-disarm.service: systemd/hibernated-disarm.service.in Makefile
	$(MAKE_UNIT)
systemd/65-hibernated.rules: systemd/65-hibernated.rules.in Makefile
	$(MAKE_UNIT)
systemd/hibernated.conf: systemd/hibernated.sysusers.in Makefile
	$(MAKE_UNIT)

# An image that nobody drops can destroy filesystems later, so dropping is not left to be switched on.
install-data-hook:
	$(MKDIR_P) $(DESTDIR)$(systemdsystemunitdir)/sysinit.target.wants
	cd $(DESTDIR)$(systemdsystemunitdir)/sysinit.target.wants && \
		rm -f hibernated-disarm.service && $(LN_S) ../hibernated-disarm.service hibernated-disarm.service

uninstall-local:
	rm -f $(DESTDIR)$(systemdsystemunitdir)/sysinit.target.wants/hibernated-disarm.service
