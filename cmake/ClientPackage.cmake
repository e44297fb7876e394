# The C++ client as others build with it: one archive, the headers a caller includes, and a CMake package.
#
#   find_package(sightline REQUIRED)
#   target_link_libraries(app PRIVATE sightline::client)
#
# The archive holds the client, the generated API and what they need of base, so that nothing of the server comes along.
# `cmake --install DIR --component client` installs this and nothing else.
if(NOT SIGHTLINE_CLIENT_PACKAGE OR SIGHTLINE_SANITIZE)
  return()
endif()
include(CMakePackageConfigHelpers)

set(client_base clock file kill_point sha256 status)
list(TRANSFORM client_base REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/base/\\1.cc")
add_library(sightline_client_package STATIC
  ${client_base} $<TARGET_OBJECTS:sightline_client> $<TARGET_OBJECTS:sightline_proto>)
set_target_properties(sightline_client_package PROPERTIES
  ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/client_package
  OUTPUT_NAME sightline_client
  EXPORT_NAME client)
target_include_directories(sightline_client_package
  PRIVATE $<TARGET_PROPERTY:sightline_base,INTERFACE_INCLUDE_DIRECTORIES>
  # A folder of its own: what the headers call "client" and "google" is not for everyone's include path.
  INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/sightline-client>)
target_compile_features(sightline_client_package PUBLIC cxx_std_20)
target_compile_options(sightline_client_package PRIVATE $<TARGET_PROPERTY:sightline_options,INTERFACE_COMPILE_OPTIONS>)
target_link_libraries(sightline_client_package
  PUBLIC absl::cleanup absl::core_headers absl::status absl::statusor absl::str_format absl::strings absl::time gRPC::grpc++
    protobuf::libprotobuf Threads::Threads
  PRIVATE OpenSSL::Crypto)

install(TARGETS sightline_client_package EXPORT sightlineTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client)
install(EXPORT sightlineTargets NAMESPACE sightline:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sightline COMPONENT client)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/sightlineConfig.cmake.in
  ${CMAKE_BINARY_DIR}/client_package/sightlineConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sightline)
# Before 1.0 a minor version may change what the headers offer.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/client_package/sightlineConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_BINARY_DIR}/client_package/sightlineConfig.cmake
  ${CMAKE_BINARY_DIR}/client_package/sightlineConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sightline COMPONENT client)

set(headers ${CMAKE_INSTALL_INCLUDEDIR}/sightline-client)
install(FILES cpp/client.h cpp/index_many.h cpp/query.h cpp/retry.h cpp/snapshot_file.h
  DESTINATION ${headers}/client/cpp COMPONENT client)
install(FILES ${CMAKE_SOURCE_DIR}/base/status.h DESTINATION ${headers}/base COMPONENT client)
get_target_property(generated sightline_proto GENERATED_ROOT)
install(DIRECTORY ${generated}/google ${generated}/sightline
  DESTINATION ${headers} COMPONENT client FILES_MATCHING PATTERN *.pb.h)
