// The attributes of one row in a few bytes: their number, and for each its key and type in one small number, followed
// by
//   text      the term of the key's StringIndex
//   whole     the number, zigzag
//   fraction  the double, 8 bytes
//   false, true   nothing
//   list      the number of texts, then their terms
// Every number without a size is a varint.
//
// Threading: pure functions. Ownership: reads the caller's bytes. Failure: none: nothing but this program writes them,
// and they are never stored.
//
//   std::string packed;
//   PutVarint(1, packed);
//   PutHeader(key_id, PackedType::kTrue, packed);
//   for (PackedReader reader(packed.data()); reader.Next();) Use(reader.attribute());
#ifndef SIGHTLINE_INDEX_FILTER_PACKED_ATTRIBUTES_H_
#define SIGHTLINE_INDEX_FILTER_PACKED_ATTRIBUTES_H_

#include <cstdint>
#include <cstring>
#include <string>

namespace sightline::index {

enum class PackedType : uint8_t { kText, kWhole, kFraction, kFalse, kTrue, kList };

inline void PutVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

inline uint64_t GetVarint(const char*& at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at++);
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
}

inline void PutHeader(uint32_t key_id, PackedType type, std::string& out) {
  PutVarint(uint64_t{key_id} << 3 | static_cast<uint64_t>(type), out);
}

inline void PutWhole(int64_t value, std::string& out) {
  PutVarint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63), out);
}

inline void PutFraction(double value, std::string& out) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

struct PackedAttribute {
  uint32_t key_id = 0;
  PackedType type = PackedType::kText;
  const char* payload = nullptr;

  // Of kText.
  uint32_t Term() const {
    const char* at = payload;
    return static_cast<uint32_t>(GetVarint(at));
  }
  // Of kWhole.
  int64_t Whole() const {
    const char* at = payload;
    const uint64_t zigzag = GetVarint(at);
    return static_cast<int64_t>(zigzag >> 1 ^ (0 - (zigzag & 1)));
  }
  // Of kFraction.
  double Fraction() const {
    double value;
    std::memcpy(&value, payload, sizeof value);
    return value;
  }
  // Of kList: calls function(term) for each of its texts.
  template <typename Function>
  void ForEachTerm(Function function) const {
    const char* at = payload;
    for (uint64_t left = GetVarint(at); left > 0; --left) function(static_cast<uint32_t>(GetVarint(at)));
  }
};

class PackedReader {
 public:
  // A row of null has no attributes.
  explicit PackedReader(const char* packed) : at_(packed), left_(packed == nullptr ? 0 : GetVarint(at_)) {}

  // Steps to the next attribute; false after the last one.
  bool Next() {
    if (left_ == 0) return false;
    --left_;
    const uint64_t header = GetVarint(at_);
    attribute_ = {static_cast<uint32_t>(header >> 3), static_cast<PackedType>(header & 7), at_};
    switch (attribute_.type) {
      case PackedType::kText:
      case PackedType::kWhole: GetVarint(at_); break;
      case PackedType::kFraction: at_ += sizeof(double); break;
      case PackedType::kFalse:
      case PackedType::kTrue: break;
      case PackedType::kList:
        for (uint64_t terms = GetVarint(at_); terms > 0; --terms) GetVarint(at_);
        break;
    }
    return true;
  }

  const PackedAttribute& attribute() const { return attribute_; }
  // Behind the attributes read so far.
  const char* position() const { return at_; }

 private:
  const char* at_;
  uint64_t left_;
  PackedAttribute attribute_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_PACKED_ATTRIBUTES_H_
