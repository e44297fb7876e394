// The bytes of a graph. Little-endian numbers:
//
//   header   magic "SLGRAPH1", u32 m, u32 rows, u32 entry row + 1 (0: no rows)
//   a row    u8 n, then
//              n = 255: u32 row that it equals, a node
//              n <= 2 m: n x u32 links of level 0; for every level above, up to the row's own: u8 n <= m, n x u32 links
//
// A row's level is not written: it follows from its number.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/ann/graph.h"
#include "index/ann/little_endian.h"

namespace sightline::index {

// Reads numbers off the front; `ok` turns false when they run out.
struct GraphReader {
  absl::string_view bytes;
  bool ok = true;

  uint8_t U8() {
    if (bytes.empty()) {
      ok = false;
      return 0;
    }
    const auto value = static_cast<uint8_t>(bytes[0]);
    bytes.remove_prefix(1);
    return value;
  }
  uint32_t U32() {
    if (bytes.size() < 4) {
      ok = false;
      return 0;
    }
    const uint32_t value = little_endian::LoadU32(bytes.data());
    bytes.remove_prefix(4);
    return value;
  }
};

namespace {

constexpr absl::string_view kGraphMagic = "SLGRAPH1";
constexpr size_t kGraphHeaderBytes = 20;
constexpr uint8_t kEqualMark = 255;
constexpr size_t kFlushBytes = 1 << 20;

using little_endian::AppendU32;

absl::Status Damaged(absl::string_view what) {
  return base::Error(absl::StatusCode::kDataLoss, "GRAPH_DAMAGED",
                     absl::StrCat("the graph's bytes are damaged: ", what, ". Build it again from the codes."));
}

}  // namespace

absl::Status Graph::Save(uint32_t rows, Sink sink) const {
  if (rows > size()) {
    return base::FailedPrecondition("GRAPH_INCOMPLETE", absl::StrCat("the graph has ", size(), " rows, and ", rows,
                                                                     " are to be saved. Insert them first."));
  }
  // A row hangs on a lower one, so a row that no chain has claimed when it is its turn is a node.
  std::vector<uint32_t> equal_to(rows, kEnd);
  Entry top = entry();
  if (top.row >= rows) top = {};
  uint32_t entry_link = top.level < 0 ? kEnd : top.row + 1;
  for (uint32_t row = 0; row < rows; ++row) {
    if (equal_to[row] != kEnd) continue;
    if (entry_link == kEnd || (top.level < 0 && NodeOf(row).level > NodeOf(entry_link - 1).level)) entry_link = row + 1;
    for (uint32_t next = std::atomic_ref(NodeOf(row).next_equal).load(std::memory_order_acquire); next != kEnd;
         next = std::atomic_ref(NodeOf(next - 1).next_equal).load(std::memory_order_acquire)) {
      if (next <= rows) equal_to[next - 1] = row + 1;
    }
  }
  std::string out(kGraphMagic);
  AppendU32(out, static_cast<uint32_t>(m_));
  AppendU32(out, rows);
  AppendU32(out, entry_link);
  for (uint32_t row = 0; row < rows; ++row) {
    if (equal_to[row] != kEnd) {
      out.push_back(static_cast<char>(kEqualMark));
      AppendU32(out, equal_to[row] - 1);
      continue;
    }
    for (int level = 0; level <= NodeOf(row).level; ++level) {
      std::vector<uint32_t> links = ReadLinks(level, row);
      links.erase(std::remove_if(links.begin(), links.end(), [&](uint32_t link) { return link >= rows; }), links.end());
      out.push_back(static_cast<char>(links.size()));
      for (const uint32_t link : links) AppendU32(out, link);
    }
    if (out.size() < kFlushBytes) continue;
    SIGHTLINE_RETURN_IF_ERROR(sink(out));
    out.clear();
  }
  return sink(out);
}

bool Graph::IsSaved(absl::string_view bytes) { return absl::StartsWith(bytes, kGraphMagic); }

absl::StatusOr<std::unique_ptr<Graph>> Graph::Load(const CodeTable& codes, Options options, absl::string_view bytes) {
  if (bytes.size() < kGraphHeaderBytes || bytes.substr(0, kGraphMagic.size()) != kGraphMagic) {
    return Damaged(
        absl::StrCat("they do not begin with '", kGraphMagic, "' and a header of ", kGraphHeaderBytes, " bytes"));
  }
  GraphReader reader{bytes.substr(kGraphMagic.size())};
  const uint32_t m = reader.U32();
  const uint32_t rows = reader.U32();
  const uint32_t entry_link = reader.U32();
  if (m < kMinM || m > kMaxM) {
    return Damaged(absl::StrCat("m is ", m, " and must be ", kMinM, " to ", kMaxM));
  }
  // Every row takes a byte at least: no number of rows makes this take more memory than the bytes speak for.
  if (rows > codes.max_rows() || rows > reader.bytes.size()) {
    return Damaged(absl::StrCat("they declare ", rows, " rows, with room for ", codes.max_rows(), " and ",
                                reader.bytes.size(), " bytes left"));
  }
  options.m = static_cast<int>(m);
  auto graph = std::make_unique<Graph>(codes, options);
  if (rows == 0) {
    if (entry_link != kEnd || !reader.bytes.empty()) return Damaged("there are no rows, and yet something follows");
    return graph;
  }
  std::vector<bool> hangs(rows);
  uint32_t equals = 0;
  for (uint32_t row = 0; row < rows; ++row) {
    SIGHTLINE_RETURN_IF_ERROR(graph->LoadRow(row, rows, reader, hangs));
    if (hangs[row]) ++equals;
  }
  if (!reader.bytes.empty()) return Damaged(absl::StrCat(reader.bytes.size(), " bytes follow the last row"));
  if (entry_link == kEnd || entry_link > rows || hangs[entry_link - 1]) {
    return Damaged(absl::StrCat("the entry point ", entry_link, " is not one of the ", rows, " rows' nodes"));
  }
  // Only now is it known which rows are nodes.
  for (uint32_t row = 0; row < rows; ++row) {
    for (int level = 0; !hangs[row] && level <= graph->NodeOf(row).level; ++level) {
      for (const uint32_t link : graph->ReadLinks(level, row)) {
        if (!hangs[link]) continue;
        return Damaged(absl::StrCat("row ", row, " links to row ", link, ", which is not a node"));
      }
    }
  }
  graph->equals_.store(equals, std::memory_order_release);
  graph->RaiseEntry(entry_link - 1, graph->NodeOf(entry_link - 1).level);
  graph->size_.store(rows, std::memory_order_release);
  return graph;
}

absl::Status Graph::LoadRow(uint32_t row, uint32_t rows, GraphReader& reader, std::vector<bool>& hangs) {
  Node& node = EnsureChunk(row).nodes[row & mask_];
  for (int level = 0; level <= node.level; ++level) {
    const uint8_t count = reader.U8();
    if (level == 0 && count == kEqualMark) {
      const uint32_t to = reader.U32();
      if (!reader.ok || to >= row || hangs[to]) {
        return Damaged(absl::StrCat("row ", row, " is said to equal row ", to, ", which is not a node before it"));
      }
      hangs[row] = true;
      node.next_equal = std::exchange(NodeOf(to).next_equal, row + 1);
      return absl::OkStatus();
    }
    if (count > ListSize(level)) {
      return Damaged(
          absl::StrCat("row ", row, " has ", count, " links on level ", level, "; the limit is ", ListSize(level)));
    }
    uint32_t* links = Links(level, row);
    for (uint8_t i = 0; i < count; ++i) {
      const uint32_t link = reader.U32();
      if (link >= rows || link == row || LevelOf(link, options_.m) < level) {
        return Damaged(absl::StrCat("row ", row, " links to row ", link, " on level ", level, ", which is not there"));
      }
      links[i] = link + 1;
    }
    if (!reader.ok) return Damaged(absl::StrCat("they end within row ", row, " of ", rows));
  }
  return absl::OkStatus();
}

}  // namespace sightline::index
