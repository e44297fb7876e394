#include "client/cli/export_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cli/json.h"
#include "client/cli/values.h"

namespace sightline::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

// Before the descriptors: the length of the header, 8 bytes, and the header with its padding. Names and metadata take
// less than a tenth of it.
constexpr int64_t kHeadBytes = 16 << 10;
constexpr size_t kBufferBytes = 1 << 20;

template <typename Values>
absl::string_view BytesOf(const Values& values) {
  return {reinterpret_cast<const char*>(values.data()), static_cast<size_t>(values.size()) * sizeof(*values.data())};
}

absl::Status WriteAll(int fd, absl::string_view data, absl::string_view path) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return base::Error(absl::StatusCode::kInternal, "FILE_ERROR",
                         absl::StrCat("cannot write ", path, ": ", std::strerror(errno),
                                      ". Check the disk, then run the same command again."),
                         {{"path", std::string(path)}});
    }
    data.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// How token values are written in the file: as the server sends them.
struct TokenType {
  absl::string_view dtype;
  int64_t bytes = 0;  // of a value
  bool scaled = false;
};

TokenType TokenTypeOf(v1::PatchTokens::Precision precision) {
  switch (precision) {
    case v1::PatchTokens::PRECISION_FLOAT16: return {"F16", 2, false};
    case v1::PatchTokens::PRECISION_FLOAT32: return {"F32", 4, false};
    default: return {"I8", 1, true};
  }
}

// A value as it is in JSON: the kinds that JSON does not tell apart come from one filter grammar anyway.
std::string PlainJson(const v1::AttributeValue& value) {
  switch (value.kind_case()) {
    case v1::AttributeValue::kStringValue: return JsonText(value.string_value());
    case v1::AttributeValue::kInt64Value: return absl::StrCat(value.int64_value());
    case v1::AttributeValue::kDoubleValue: return JsonNumber(value.double_value());
    case v1::AttributeValue::kBoolValue: return value.bool_value() ? "true" : "false";
    case v1::AttributeValue::kStringList: {
      std::vector<std::string> items;
      for (const std::string& item : value.string_list().values()) items.push_back(JsonText(item));
      return JsonArray(items);
    }
    case v1::AttributeValue::KIND_NOT_SET: break;
  }
  return "null";
}

// What is known of an image beside its numbers, on one line.
std::string RecordLine(const v1::ImageRecord& image) {
  JsonObject attributes;
  // In the order of their keys: a map has none of its own.
  std::map<std::string, std::string> sorted;
  for (const auto& [key, value] : image.attributes()) sorted[key] = PlainJson(value);
  for (const auto& [key, value] : sorted) attributes.Raw(key, value);
  JsonObject line;
  line.Text("id", image.id()).Raw("attributes", attributes.Done()).Text("source_uri", image.source_uri());
  line.Int("width", image.width()).Int("height", image.height()).Text("sha256", image.sha256());
  line.Int("revision", image.revision());
  line.Text("create_time", TimeText(image.create_time())).Text("update_time", TimeText(image.update_time()));
  if (image.has_crop()) line.Raw("crop", JsonMessage(image.crop()));
  return line.Done();
}

}  // namespace

ExportFile::ExportFile(std::string path, v1::Collection collection, bool tokens)
    : path_(std::move(path)), collection_(std::move(collection)), tokens_(tokens) {}

ExportFile::~ExportFile() {
  for (const Spool& spool : spools_) {
    if (spool.fd >= 0) ::close(spool.fd);
  }
  std::error_code ignored;
  if (!finished_) std::filesystem::remove(path_ + ".part", ignored);
}

absl::Status ExportFile::Problem(absl::string_view action) const {
  return base::Error(absl::StatusCode::kInternal, "FILE_ERROR",
                     absl::StrCat("cannot ", action, " ", path_, ": ", std::strerror(errno),
                                  ". Check the disk and the permissions, then run the same command again."),
                     {{"path", path_}});
}

absl::StatusOr<std::unique_ptr<ExportFile>> ExportFile::Create(const std::string& path,
                                                               const v1::Collection& collection, bool tokens) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return base::FailedPrecondition("FILE_ERROR", absl::StrCat(path, " is a folder or a device. Name a file."),
                                    {{"path", path}});
  }
  if (std::filesystem::exists(status)) {
    return base::FailedPrecondition(
        "FILE_EXISTS", absl::StrCat(path, " is there already. Remove it, or choose another name."), {{"path", path}});
  }
  std::unique_ptr<ExportFile> file(new ExportFile(path, collection, tokens));
  SIGHTLINE_RETURN_IF_ERROR(file->Open());
  return file;
}

absl::Status ExportFile::Open() {
  const std::string part = path_ + ".part";
  for (int section = 0; section < kSections; ++section) {
    const std::string name = section == kDescriptors ? part : absl::StrCat(part, ".", section);
    spools_[section].fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (spools_[section].fd < 0) return Problem("create");
    // What only waits to be appended goes with this process.
    if (section != kDescriptors) ::unlink(name.c_str());
  }
  if (::lseek(spools_[kDescriptors].fd, kHeadBytes, SEEK_SET) != kHeadBytes) return Problem("write");
  return absl::OkStatus();
}

absl::Status ExportFile::Append(Section section, absl::string_view data) {
  Spool& spool = spools_[section];
  spool.buffer.append(data.data(), data.size());
  spool.bytes += static_cast<int64_t>(data.size());
  return spool.buffer.size() < kBufferBytes ? absl::OkStatus() : Flush(section);
}

absl::Status ExportFile::Flush(Section section) {
  SIGHTLINE_RETURN_IF_ERROR(WriteAll(spools_[section].fd, spools_[section].buffer, path_));
  spools_[section].buffer.clear();
  return absl::OkStatus();
}

int64_t ExportFile::bytes() const {
  int64_t bytes = kHeadBytes;
  for (const Spool& spool : spools_) bytes += spool.bytes;
  return bytes;
}

absl::Status ExportFile::AddTokens(const v1::ImageRecord& image) {
  const v1::PatchTokens& tokens = image.tokens();
  const int64_t cells = int64_t{tokens.height()} * tokens.width();
  const TokenType type = TokenTypeOf(tokens.precision());
  const bool whole = tokens.height() >= 0 && tokens.width() >= 0 && tokens.scales_size() == (type.scaled ? cells : 0) &&
                     tokens.importance_size() == cells && tokens.centre_size() == tokens.dim() &&
                     static_cast<int64_t>(tokens.values().size()) == cells * tokens.dim() * type.bytes;
  if (cells > 0 && token_dim_ == 0 && whole) {
    token_dim_ = tokens.dim();
    token_precision_ = tokens.precision();
    // Those before had none.
    SIGHTLINE_RETURN_IF_ERROR(
        Append(kCentres, std::string(static_cast<size_t>(images_ * token_dim_) * sizeof(float), '\0')));
  }
  const bool alike = tokens.dim() == token_dim_ && type.dtype == TokenTypeOf(token_precision_).dtype;
  if (!whole || (cells > 0 && !alike)) {
    return base::Error(absl::StatusCode::kDataLoss, "TOKENS_INVALID",
                       absl::StrCat("the patch tokens of '", image.id(),
                                    "' do not have the shape and precision of the others. Export with --no_tokens."),
                       {{"id", image.id()}});
  }
  const int32_t grid[2] = {tokens.height(), tokens.width()};
  SIGHTLINE_RETURN_IF_ERROR(Append(kGrids, {reinterpret_cast<const char*>(grid), sizeof grid}));
  token_count_ += cells;
  SIGHTLINE_RETURN_IF_ERROR(Append(kScales, BytesOf(tokens.scales())));
  SIGHTLINE_RETURN_IF_ERROR(Append(kImportance, BytesOf(tokens.importance())));
  SIGHTLINE_RETURN_IF_ERROR(Append(kValues, tokens.values()));
  if (cells > 0) return Append(kCentres, BytesOf(tokens.centre()));
  return Append(kCentres, std::string(static_cast<size_t>(token_dim_) * sizeof(float), '\0'));
}

absl::Status ExportFile::Add(const v1::ImageRecord& image) {
  if (image.global_descriptor().values_size() != collection_.descriptor_dim() ||
      image.global_descriptor().embedding_space() != collection_.embedding_space()) {
    return base::Error(absl::StatusCode::kAborted, "COLLECTION_MOVED",
                       absl::StrCat("the collection changed its embedding space at '", image.id(),
                                    "', while it was exported. Run the same command again."),
                       {{"id", image.id()}});
  }
  SIGHTLINE_RETURN_IF_ERROR(Append(kDescriptors, BytesOf(image.global_descriptor().values())));
  if (tokens_) SIGHTLINE_RETURN_IF_ERROR(AddTokens(image));
  SIGHTLINE_RETURN_IF_ERROR(Append(kRecords, absl::StrCat(RecordLine(image), "\n")));
  ++images_;
  return absl::OkStatus();
}

std::string ExportFile::Header() const {
  std::vector<std::string> fields;
  const auto text = [](const std::string& name, const std::string& value) {
    return absl::StrCat(JsonText(name), ":", JsonText(value));
  };
  fields.push_back(absl::StrCat(
      "\"__metadata__\":{",
      absl::StrJoin(
          {text("sightline_export", "1"), text("collection", collection_.name()), text("model", collection_.model()),
           text("embedding_space", collection_.embedding_space()), text("token_space", collection_.token_space()),
           text("descriptor_dim", absl::StrCat(collection_.descriptor_dim())), text("images", absl::StrCat(images_))},
          ","),
      "}"));
  int64_t begin = 0;
  const auto add = [&](Section section, absl::string_view name, absl::string_view dtype, std::vector<int64_t> shape) {
    const int64_t end = begin + spools_[section].bytes;
    fields.push_back(absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":[", absl::StrJoin(shape, ","),
                                  "],\"data_offsets\":[", begin, ",", end, "]}"));
    begin = end;
  };
  add(kDescriptors, "descriptors", "F32", {images_, collection_.descriptor_dim()});
  if (token_count_ > 0) {
    const TokenType type = TokenTypeOf(token_precision_);
    if (type.scaled) add(kScales, "token_scales", "F32", {token_count_});
    add(kImportance, "token_importance", "F32", {token_count_});
    add(kCentres, "token_centres", "F32", {images_, token_dim_});
    add(kGrids, "token_grids", "I32", {images_, 2});
    add(kValues, "token_values", type.dtype, {token_count_, token_dim_});
  }
  add(kRecords, "records", "U8", {spools_[kRecords].bytes});
  return absl::StrCat("{", absl::StrJoin(fields, ","), "}");
}

absl::Status ExportFile::AppendSection(Section section) {
  SIGHTLINE_RETURN_IF_ERROR(Flush(section));
  std::string piece(kBufferBytes, '\0');
  for (int64_t offset = 0;;) {
    const ssize_t read = ::pread(spools_[section].fd, piece.data(), piece.size(), offset);
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return Problem("read what waits beside");
    if (read == 0) return absl::OkStatus();
    offset += read;
    SIGHTLINE_RETURN_IF_ERROR(WriteAll(spools_[kDescriptors].fd, {piece.data(), static_cast<size_t>(read)}, path_));
  }
}

absl::Status ExportFile::Finish() {
  SIGHTLINE_RETURN_IF_ERROR(Flush(kDescriptors));
  if (token_count_ > 0) {
    for (const Section section : {kScales, kImportance, kCentres, kGrids, kValues}) {
      SIGHTLINE_RETURN_IF_ERROR(AppendSection(section));
    }
  }
  SIGHTLINE_RETURN_IF_ERROR(AppendSection(kRecords));
  std::string header = Header();
  if (static_cast<int64_t>(header.size()) > kHeadBytes - 8) {
    return base::Error(absl::StatusCode::kInternal, "HEADER_TOO_LARGE",
                       "the names of the collection are longer than the file's header has room for. Report this.");
  }
  header.resize(kHeadBytes - 8, ' ');
  const uint64_t length = header.size();
  header.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
  const int fd = spools_[kDescriptors].fd;
  if (::lseek(fd, 0, SEEK_SET) != 0) return Problem("write");
  SIGHTLINE_RETURN_IF_ERROR(WriteAll(fd, header, path_));
  if (::fsync(fd) != 0) return Problem("sync");
  if (std::rename((path_ + ".part").c_str(), path_.c_str()) != 0) return Problem("rename to");
  finished_ = true;
  const std::string parent = std::filesystem::path(path_).parent_path().string();
  return base::SyncFolder(parent.empty() ? "." : parent);
}

}  // namespace sightline::cli
