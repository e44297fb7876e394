# What `cmake --install` installs beside the programs (sightline_program): the models, licence and documentation, the systemd
# unit, and what Prometheus and Grafana read. What is OPTIONAL is left out of the tree that a container image is built from. Debian's own way to link (no run path) is kept: installed programs load the system's libraries.
include(GNUInstallDirs)

set(SIGHTLINE_COMMIT "" CACHE STRING "The commit that is built, where the source tree has no git")

install(DIRECTORY model/zoo/ DESTINATION ${CMAKE_INSTALL_DATADIR}/sightline/models)
install(DIRECTORY proto/sightline proto/google DESTINATION ${CMAKE_INSTALL_DATADIR}/sightline/proto FILES_MATCHING PATTERN *.proto)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(FILES index/FORMAT.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/index)
install(DIRECTORY deploy/prometheus deploy/grafana DESTINATION ${CMAKE_INSTALL_DATADIR}/sightline OPTIONAL
  FILES_MATCHING PATTERN *.yml PATTERN *.json)
install(FILES deploy/systemd/sightline.service DESTINATION lib/systemd/system)
install(FILES deploy/systemd/sightline.conf DESTINATION ${CMAKE_INSTALL_DATADIR}/sightline)
install(FILES deploy/systemd/sightline.sysusers DESTINATION lib/sysusers.d RENAME sightline.conf)
