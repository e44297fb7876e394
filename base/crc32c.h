// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as iSCSI and RocksDB use it. It finds damage, not tampering.
//
// Threading: pure functions. Failure: none.
//
//   Crc32c("123456789") == 0xE3069283; Crc32c("6789", Crc32c("12345")) is the same.
#ifndef SIGHTLINE_BASE_CRC32C_H_
#define SIGHTLINE_BASE_CRC32C_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace sightline::base {

// The checksum of what `seed` is the checksum of, followed by `bytes`.
uint32_t Crc32c(absl::string_view bytes, uint32_t seed = 0);

// The same without special instructions; what the tests compare with.
uint32_t Crc32cPortable(absl::string_view bytes, uint32_t seed = 0);

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_CRC32C_H_
