# Read by cpack for each generator, when the files stand where they are packed
# from: what a package has and `cmake --install` has not.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(name ${CPACK_COMPONENTS_ALL})
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${name})
  set(docs ${root}/usr/share/doc/${name})
  file(GLOB programs ${root}/usr/bin/* ${root}/usr/sbin/*)
  run(strip --strip-unneeded --remove-section=.comment ${programs})
  file(GLOB_RECURSE pages ${root}/usr/share/man/*.[1-8])
  run(gzip -9nf ${pages})
  file(MAKE_DIRECTORY ${docs})
  file(COPY ${CPACK_PACKAGING_SOURCES}/copyright DESTINATION ${docs})
  if(CPACK_GENERATOR STREQUAL DEB)
    # Of the version that is packed, which -D may have changed.
    file(READ ${CPACK_PACKAGING_SOURCES}/changelog changes)
    string(FIND "${changes}" "\n" end)
    string(SUBSTRING "${changes}" ${end} -1 changes)
    file(WRITE ${docs}/changelog.Debian "${name} \
(${CPACK_PACKAGE_VERSION}-${CPACK_PACKAGE_RELEASE}) unstable; urgency=medium\
${changes}")
    run(gzip -9nf ${docs}/changelog.Debian)
    file(MAKE_DIRECTORY ${root}/usr/share/lintian/overrides)
    file(COPY ${CPACK_PACKAGING_SOURCES}/deb/${name}/lintian-overrides
      DESTINATION ${root}/usr/share/lintian/overrides)
    file(RENAME ${root}/usr/share/lintian/overrides/lintian-overrides
      ${root}/usr/share/lintian/overrides/${name})
  endif()
  # As everything in a package is, whatever the umask was.
  run(chmod -R u=rwX,go=rX ${root}/usr)
endforeach()
