# Read by cpack before it packs, so that `cpack -D CPACK_PACKAGE_VERSION=...`
# (or -D CPACK_PACKAGE_RELEASE=...) is all that another version takes.
set(in ${CPACK_PACKAGING_SOURCES})
if(NOT CPACK_PACKAGE_RELEASE)
  set(CPACK_PACKAGE_RELEASE 1)
endif()

set(summary_sepmlogd "receiver of Symantec Endpoint Protection Manager logs")
set(description_sepmlogd
"Receives the External Logging of Symantec Endpoint Protection Manager by
syslog (UDP, TCP, TLS), turns every message into one normalized record and
spools the records to rotating files for a cloud-access audit, a SIEM or an
object store. What could not arrive is counted, by cause.

With sepmlogctl, which imports files and SEPM's database, checks that nothing
is missing and says why nothing arrives.")
set(summary_upload "delivery of the finished files of sepmlogd")
set(description_upload
"Takes each finished file from the spool of sepmlogd to every configured
target: a directory, a web server, an SSH server or an S3 bucket. Each file is
delivered at least once under the same name, what the target has is checked,
and a receipt is made durable before the file is deleted.")

# --- Debian ---

# It would stand in front of both.
unset(CPACK_PACKAGE_DESCRIPTION_SUMMARY)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${CPACK_PACKAGE_RELEASE})
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_PREDEPENDS "init-system-helpers (>= 1.54~)")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_SEPMLOGD_PACKAGE_NAME sepmlogd)
set(CPACK_DEBIAN_SEPMLOGD_DESCRIPTION
  "${summary_sepmlogd}\n${description_sepmlogd}")
set(CPACK_DEBIAN_SEPMLOGD_PACKAGE_DEPENDS "systemd, tzdata")
set(CPACK_DEBIAN_SEPMLOGD_PACKAGE_SUGGESTS
  "sepmlog-upload, tdsodbc, bash-completion, prometheus")
set(CPACK_DEBIAN_SEPMLOG-UPLOAD_PACKAGE_NAME sepmlog-upload)
set(CPACK_DEBIAN_SEPMLOG-UPLOAD_DESCRIPTION
  "${summary_upload}\n${description_upload}")
# They share the spool's layout: one version of both.
set(CPACK_DEBIAN_SEPMLOG-UPLOAD_PACKAGE_DEPENDS "systemd, \
sepmlogd (= ${CPACK_PACKAGE_VERSION}-${CPACK_PACKAGE_RELEASE})")
foreach(name sepmlogd sepmlog-upload)
  string(TOUPPER ${name} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA
    "${in}/deb/${name}/conffiles;${in}/deb/${name}/postinst;\
${in}/deb/${name}/prerm;${in}/deb/${name}/postrm")
endforeach()

# --- RPM ---

set(CPACK_RPM_COMPONENT_INSTALL ON)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_RELEASE ${CPACK_PACKAGE_RELEASE})
set(CPACK_RPM_PACKAGE_LICENSE ISC)
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Daemons")
set(CPACK_RPM_PACKAGE_AUTOREQ ON)
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none")
set(CPACK_RPM_CHANGELOG_FILE ${in}/rpm/changelog)
set(CPACK_RPM_SEPMLOGD_PACKAGE_NAME sepmlogd)
set(CPACK_RPM_SEPMLOGD_PACKAGE_SUMMARY "${summary_sepmlogd}")
set(CPACK_RPM_SEPMLOGD_PACKAGE_DESCRIPTION "${description_sepmlogd}")
set(CPACK_RPM_SEPMLOGD_PACKAGE_REQUIRES "systemd, tzdata")
set(CPACK_RPM_SEPMLOGD_USER_FILELIST
  "%config(noreplace) %attr(0640,root,sepmlog) /etc/sepmlogd/sepmlogd.yaml")
set(CPACK_RPM_SEPMLOG-UPLOAD_PACKAGE_NAME sepmlog-upload)
set(CPACK_RPM_SEPMLOG-UPLOAD_PACKAGE_SUMMARY "${summary_upload}")
set(CPACK_RPM_SEPMLOG-UPLOAD_PACKAGE_DESCRIPTION "${description_upload}")
set(CPACK_RPM_SEPMLOG-UPLOAD_PACKAGE_REQUIRES
  "systemd, sepmlogd = ${CPACK_PACKAGE_VERSION}-${CPACK_PACKAGE_RELEASE}")
set(CPACK_RPM_SEPMLOG-UPLOAD_USER_FILELIST
  "%config(noreplace) %attr(0640,root,sepmlog) /etc/sepmlogd/sepmlog-upload.yaml")
# Directories that are not ours.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
  /usr/sbin /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d
  /usr/lib/tmpfiles.d /usr/share/man /usr/share/man/man1 /usr/share/man/man5
  /usr/share/man/man7 /usr/share/man/man8 /usr/share/bash-completion
  /usr/share/bash-completion/completions)
foreach(name sepmlogd sepmlog-upload)
  string(TOUPPER ${name} upper)
  set(CPACK_RPM_${upper}_PRE_INSTALL_SCRIPT_FILE ${in}/rpm/${name}.pre)
  set(CPACK_RPM_${upper}_POST_INSTALL_SCRIPT_FILE ${in}/rpm/${name}.post)
  set(CPACK_RPM_${upper}_PRE_UNINSTALL_SCRIPT_FILE ${in}/rpm/${name}.preun)
  set(CPACK_RPM_${upper}_POST_UNINSTALL_SCRIPT_FILE ${in}/rpm/${name}.postun)
endforeach()
