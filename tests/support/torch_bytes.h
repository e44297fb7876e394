// Files as torch.save writes them, byte by byte, so that tests need no Python and can lie in every field.
//
// Threading: pure functions and values. Failure: none.
//
//   PickleBytes pickle;
//   pickle.StateDict({{.name = "w", .key = "0", .count = 6, .shape = {2, 3}, .strides = {3, 1}}});
//   const std::string file = ZipBytes({{"archive/data.pkl", pickle.Finish()}, {"archive/data/0", floats}});
#ifndef SIGHTLINE_TESTS_SUPPORT_TORCH_BYTES_H_
#define SIGHTLINE_TESTS_SUPPORT_TORCH_BYTES_H_

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace sightline::testing {

inline std::string Little(uint64_t number, int width) {
  std::string bytes;
  for (int i = 0; i < width; ++i) bytes.push_back(static_cast<char>(number >> (8 * i)));
  return bytes;
}

inline std::string FloatBytes(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

struct TensorBytes {
  std::string name;
  std::string storage = "FloatStorage";
  std::string key = "0";
  int64_t count = 0;  // values in the storage
  int64_t offset = 0;
  std::vector<int64_t> shape = {};
  std::vector<int64_t> strides = {};
};

// A pickle of protocol 2.
class PickleBytes {
 public:
  PickleBytes() : bytes_("\x80\x02") {}

  PickleBytes& Raw(const std::string& bytes) {
    bytes_ += bytes;
    return *this;
  }
  PickleBytes& Text(const std::string& text) { return Raw("X" + Little(text.size(), 4) + text); }
  PickleBytes& Int(int64_t number) { return Raw(std::string("\x8a\x08") + Little(static_cast<uint64_t>(number), 8)); }
  PickleBytes& Global(const std::string& module, const std::string& name) {
    return Raw("c" + module + "\n" + name + "\n");
  }
  PickleBytes& Ints(const std::vector<int64_t>& numbers) {
    Raw("(");
    for (const int64_t number : numbers) Int(number);
    return Raw("t");
  }
  // The arguments of a tensor and the call that makes it.
  PickleBytes& Tensor(const TensorBytes& tensor) {
    Global("torch._utils", "_rebuild_tensor_v2").Raw("(");
    Raw("(").Text("storage").Global("torch", tensor.storage).Text(tensor.key).Text("cpu").Int(tensor.count).Raw("tQ");
    Int(tensor.offset).Ints(tensor.shape).Ints(tensor.strides).Raw("\x89");
    return Global("collections", "OrderedDict").Raw(")RtR");
  }
  PickleBytes& StateDict(const std::vector<TensorBytes>& tensors) {
    Global("collections", "OrderedDict").Raw(")R(");
    for (const TensorBytes& tensor : tensors) Text(tensor.name).Tensor(tensor);
    return Raw("u");
  }
  std::string Finish() const { return bytes_ + "."; }

 private:
  std::string bytes_;
};

struct ZipMemberBytes {
  std::string name;
  std::string bytes;
  int method = 0;
  int flags = 0;
  // What the directory says instead of the truth.
  std::string directory_name = name;
  uint64_t directory_size = bytes.size();
  int64_t offset_shift = 0;
  uint32_t crc_change = 0;
};

struct ZipOptions {
  bool zip64 = false;
  uint64_t extra_entries = 0;  // more than there are
  int64_t directory_shift = 0;
};

inline std::string ZipBytes(const std::vector<ZipMemberBytes>& members, const ZipOptions& options = {}) {
  std::string file, directory;
  for (const ZipMemberBytes& member : members) {
    const uint64_t offset = file.size() + static_cast<uint64_t>(member.offset_shift);
    const auto crc = static_cast<uint32_t>(
                         crc32_z(0, reinterpret_cast<const unsigned char*>(member.bytes.data()), member.bytes.size())) ^
                     member.crc_change;
    const std::string times(4, '\0');
    const uint64_t narrow = options.zip64 ? 0xffffffff : member.directory_size;
    const std::string extra = options.zip64 ? Little(1, 2) + Little(24, 2) + Little(member.directory_size, 8) +
                                                  Little(member.directory_size, 8) + Little(offset, 8)
                                            : "";
    file += "PK\x03\x04" + Little(20, 2) + Little(member.flags, 2) + Little(member.method, 2) + times + Little(crc, 4) +
            Little(member.bytes.size(), 4) + Little(member.bytes.size(), 4) + Little(member.name.size(), 2) +
            Little(0, 2) + member.name + member.bytes;
    directory += "PK\x01\x02" + Little(20, 2) + Little(20, 2) + Little(member.flags, 2) + Little(member.method, 2) +
                 times + Little(crc, 4) + Little(narrow, 4) + Little(narrow, 4) +
                 Little(member.directory_name.size(), 2) + Little(extra.size(), 2) + Little(0, 2) + Little(0, 8) +
                 Little(options.zip64 ? 0xffffffff : offset, 4) + member.directory_name + extra;
  }
  const uint64_t at = file.size() + static_cast<uint64_t>(options.directory_shift);
  const uint64_t entries = members.size() + options.extra_entries;
  file += directory;
  if (options.zip64) {
    const uint64_t record = file.size();
    file += "PK\x06\x06" + Little(44, 8) + Little(45, 2) + Little(45, 2) + Little(0, 8) + Little(entries, 8) +
            Little(entries, 8) + Little(directory.size(), 8) + Little(at, 8);
    file += "PK\x06\x07" + Little(0, 4) + Little(record, 8) + Little(1, 4);
  }
  const uint64_t count = options.zip64 ? 0xffff : entries;
  return file + "PK\x05\x06" + Little(0, 4) + Little(count, 2) + Little(count, 2) +
         Little(options.zip64 ? 0xffffffff : directory.size(), 4) + Little(options.zip64 ? 0xffffffff : at, 4) +
         Little(0, 2);
}

// The older form: magic, version, machine, content, keys, storages.
struct LegacyStorageBytes {
  std::string key;
  uint64_t count = 0;
  std::string bytes;
};

inline std::string LegacyBytes(const std::string& content, const std::vector<LegacyStorageBytes>& storages) {
  std::string file("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  file += PickleBytes().Int(1001).Finish();
  file += PickleBytes().Raw("}").Text("little_endian").Raw("\x88s").Finish();
  file += content;
  PickleBytes keys;
  keys.Raw("](");
  for (const LegacyStorageBytes& storage : storages) keys.Text(storage.key);
  file += keys.Raw("e").Finish();
  for (const LegacyStorageBytes& storage : storages) file += Little(storage.count, 8) + storage.bytes;
  return file;
}

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_TORCH_BYTES_H_
