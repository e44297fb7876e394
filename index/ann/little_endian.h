// Numbers as the files of segments hold them: little-endian, of fixed width.
//
// Threading: pure functions. Failure: none; the caller has checked that the bytes are there.
//
//   std::string out;
//   AppendU32(out, rows);
//   const uint32_t rows = LoadU32(bytes.data());
#ifndef SIGHTLINE_INDEX_ANN_LITTLE_ENDIAN_H_
#define SIGHTLINE_INDEX_ANN_LITTLE_ENDIAN_H_

#include <bit>
#include <cstdint>
#include <string>

namespace sightline::index::little_endian {

inline void AppendU16(std::string& out, uint16_t value) {
  out.push_back(static_cast<char>(value));
  out.push_back(static_cast<char>(value >> 8));
}

inline void AppendU32(std::string& out, uint32_t value) {
  AppendU16(out, static_cast<uint16_t>(value));
  AppendU16(out, static_cast<uint16_t>(value >> 16));
}

inline void AppendF32(std::string& out, float value) { AppendU32(out, std::bit_cast<uint32_t>(value)); }

inline uint16_t LoadU16(const char* bytes) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) | static_cast<uint8_t>(bytes[1]) << 8);
}

inline uint32_t LoadU32(const char* bytes) { return LoadU16(bytes) | static_cast<uint32_t>(LoadU16(bytes + 2)) << 16; }

inline uint64_t LoadU64(const char* bytes) { return LoadU32(bytes) | static_cast<uint64_t>(LoadU32(bytes + 4)) << 32; }

inline float LoadF32(const char* bytes) { return std::bit_cast<float>(LoadU32(bytes)); }

}  // namespace sightline::index::little_endian

#endif  // SIGHTLINE_INDEX_ANN_LITTLE_ENDIAN_H_
