// Which BLAS this process has loaded, and whether it is one a server should run with.
//
// Threading: any thread. Failure: none.
#ifndef SIGHTLINE_SERVER_BLAS_CHECK_H_
#define SIGHTLINE_SERVER_BLAS_CHECK_H_

#include <string>

namespace sightline::server {

struct BlasCheck {
  std::string name;     // "OpenBLAS 0.3.21 (OpenMP)", "reference BLAS"
  std::string warning;  // empty when all is well
};

BlasCheck CheckBlas();

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_BLAS_CHECK_H_
