# LibTorch: what find_package(Torch) sets, in the folder that includes this and below it. What is missing, or does not
# fit, is said here, before a file of LibTorch's own package stumbles over it.
if(NOT TARGET torch)
  if(SIGHTLINE_CUDA)
    # LibTorch for CUDA names libraries that its own build had and this machine's toolkit may not: NVTX is headers now.
    set(USE_SYSTEM_NVTX ON)
    if(NOT TARGET CUDA::nvToolsExt)
      add_library(CUDA::nvToolsExt INTERFACE IMPORTED)
    endif()
  endif()
  find_package(Torch QUIET)
  if(NOT Torch_FOUND)
    message(FATAL_ERROR "CMake finds no LibTorch. Install libtorch-dev, or name the folder of a LibTorch in "
      "CMAKE_PREFIX_PATH (for the one in a Python package: python3 -c 'import torch; print(torch.utils.cmake_prefix_path)').")
  endif()
  if(TORCH_CXX_FLAGS MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
    message(FATAL_ERROR "The LibTorch in ${TORCH_INSTALL_PREFIX} was built with the old ABI of C++ "
      "(_GLIBCXX_USE_CXX11_ABI=0), and every other library here with the new one. Take a LibTorch that is named "
      "\"cxx11 ABI\", or a Python package of torch 2.7 or later.")
  endif()
  if(SIGHTLINE_CUDA AND NOT TARGET torch_cuda)
    message(FATAL_ERROR "The LibTorch in ${TORCH_INSTALL_PREFIX} has no CUDA, and SIGHTLINE_CUDA is ON. Name the folder of "
      "one that was built for CUDA in CMAKE_PREFIX_PATH, or build without models (-DSIGHTLINE_MODEL=OFF).")
  endif()
endif()
