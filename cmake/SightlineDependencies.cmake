# What every build needs. Rooms that need more (LibTorch, FAISS, gRPC) look for it in their own CMakeLists.txt.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(PkgConfig REQUIRED)
if(SIGHTLINE_TESTS)
  find_package(GTest REQUIRED)
endif()
