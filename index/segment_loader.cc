#include "index/segment_loader.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "index/centroids.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

class Loader {
 public:
  Loader(Store& store, const Files& files, const std::string& folder, const DatabaseOptions& options,
         const std::function<std::shared_ptr<Segment>(bool augmented)>& make_segment)
      : store_(store),
        files_(files),
        folder_(folder),
        segment_rows_(options.segments.segment_rows),
        low_memory_(options.low_memory),
        make_segment_(make_segment),
        descriptors_(store) {}

  absl::StatusOr<LoadedSegments> Load() {
    SIGHTLINE_RETURN_IF_ERROR(ReadManifest());
    SIGHTLINE_RETURN_IF_ERROR(store_.ForEachRecord(
        [this](uint64_t key, StoredRecord stored) { return Place(key, std::move(stored.record)); }));
    while (next_ < places_.size()) SIGHTLINE_RETURN_IF_ERROR(AddNextChunk());
    for (const auto& segment : result_.segments) segment->FinishLoading();
    if (low_memory_) {
      KeepLinks();
    } else {
      SIGHTLINE_RETURN_IF_ERROR(LoadQuantizers());
      SIGHTLINE_RETURN_IF_ERROR(LoadLinks());
    }
    for (const auto& segment : result_.segments) segment->MapSealedCodes(folder_);
    if (result_.segments.empty()) result_.segments.push_back(make_segment_(false));
    return std::move(result_);
  }

 private:
  // A sealed chunk, and where it belongs.
  struct ChunkPlace {
    size_t segment = 0;
    ChunkFileInfo info;
    bool last = false;  // of the collection
  };

  std::string PathOf(const std::string& name) const { return absl::StrCat(folder_, "/", name); }

  absl::Status ReadManifest() {
    absl::StatusOr<std::optional<SegmentManifest>> manifest = store_.ReadSegmentManifest();
    if (manifest.ok() && *manifest) {
      manifest_ = **std::move(manifest);
    } else if (absl::IsDataLoss(manifest.status())) {
      // Everything it could say is in the store as well.
      LogDamage("segment list", manifest.status());
    } else if (!manifest.ok()) {
      return manifest.status();
    }
    for (size_t s = 0; s < manifest_.segments.size(); ++s) {
      for (const ChunkFileInfo& chunk : manifest_.segments[s].chunks) places_.push_back({s, chunk});
      intact_rows_.push_back(0);
    }
    if (!places_.empty()) places_.back().last = true;
    return RemoveUnnamed();
  }

  absl::Status RemoveUnnamed() {
    if (store_.only_what_is_left()) return absl::OkStatus();
    std::set<std::string> named;
    if (manifest_.centroids) named.insert(CentroidsFileName(manifest_.centroids->number));
    for (const SegmentEntry& segment : manifest_.segments) {
      for (const ChunkFileInfo& chunk : segment.chunks) named.insert(ChunkFileName(chunk.number));
      if (segment.links) named.insert(LinksFileName(segment.links->number));
    }
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(folder_));
    for (const std::string& name : names) {
      // Numbers are not given again, whatever became of the manifest.
      uint64_t number = 0;
      if (absl::SimpleAtoi(name.substr(0, name.find('.')), &number)) {
        manifest_.next_file = std::max(manifest_.next_file, number + 1);
      }
      if (named.contains(name) || absl::EndsWith(name, kDamagedSuffix)) continue;
      SIGHTLINE_RETURN_IF_ERROR(files_.Remove(PathOf(name)));
    }
    result_.known.next_file = manifest_.next_file;
    return absl::OkStatus();
  }

  void LogDamage(const std::string& what, const absl::Status& reason) {
    base::Log(base::Severity::kError, "damaged segment data is set aside and made again from the records",
              {{"collection", store_.config().name}, {"what", what}, {"reason", std::string(reason.message())}});
  }

  // An error for what another version wrote: it is whole, and that version wants to find it.
  absl::Status SetAside(const std::string& name, const absl::Status& reason) {
    if (absl::IsFailedPrecondition(reason)) return reason;
    LogDamage(name, reason);
    if (store_.only_what_is_left()) return absl::OkStatus();
    // Kept for whoever wants to know what happened. When it cannot be renamed it stays, and is removed at the next
    // start.
    std::rename(PathOf(name).c_str(), absl::StrCat(PathOf(name), kDamagedSuffix).c_str());
    return absl::OkStatus();
  }

  Segment& SegmentAt(size_t index) {
    while (result_.segments.size() <= index) {
      const size_t made = result_.segments.size();
      const bool augmented = made < manifest_.segments.size() && manifest_.segments[made].augmented;
      result_.segments.push_back(make_segment_(augmented));
    }
    return *result_.segments[index];
  }

  absl::Status AddNextChunk() {
    const ChunkPlace& place = places_[next_++];
    Segment& segment = SegmentAt(place.segment);
    const std::string name = ChunkFileName(place.info.number);
    absl::StatusOr<std::unique_ptr<ChunkFile>> file =
        ChunkFile::Open(files_, PathOf(name), place.info, segment.shape().chunk);
    absl::Status status = file.status();
    if (file.ok()) status = segment.AddChunk(*std::move(file), place.info);
    if (!status.ok()) {
      broken_.insert(place.segment);
      return SetAside(name, status);
    }
    if (!broken_.contains(place.segment)) intact_rows_[place.segment] = segment.next_row();
    if (place.last) segment.ReopenLastChunk();
    // At once: they would not all fit.
    if (low_memory_) segment.MapSealedCodes(folder_);
    return absl::OkStatus();
  }

  absl::Status Place(uint64_t key, Record record) {
    while (next_ < places_.size() && places_[next_].info.first_key <= key) SIGHTLINE_RETURN_IF_ERROR(AddNextChunk());
    if (next_ > 0 && key <= places_[next_ - 1].info.last_key &&
        SegmentAt(places_[next_ - 1].segment).Revive(key, record.id, record.attributes)) {
      return absl::OkStatus();
    }
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> descriptor, descriptors_.At(key));
    size_t at = next_ > 0 ? places_[next_ - 1].segment : 0;
    if (next_ == places_.size()) {
      at = std::max(at, result_.segments.empty() ? 0 : result_.segments.size() - 1);
      // What comes after all files fills new segments.
      if (SegmentAt(at).next_row() >= segment_rows_) ++at;
    }
    Segment& segment = SegmentAt(at);
    // No list that upkeep wrote leaves out so many records between two files.
    if (segment.full()) return DamagedError("segment list", "its segments have no room for the records between them");
    segment.Append({key, std::move(record.id), descriptor.data(), &record.attributes});
    // Files that follow in the same segment no longer begin at the row they began at.
    broken_.insert(at);
    return absl::OkStatus();
  }

  absl::Status LoadQuantizers() {
    if (!manifest_.centroids) return absl::OkStatus();
    const std::string name = CentroidsFileName(manifest_.centroids->number);
    const auto dim = static_cast<size_t>(store_.config().descriptor_dim);
    auto quantizers = LoadCentroids(files_, PathOf(name), *manifest_.centroids, dim);
    absl::Status status = quantizers.status();
    for (const auto& segment : result_.segments) {
      if (status.ok()) status = segment->SetQuantizers(*quantizers);
    }
    if (!status.ok()) return SetAside(name, status);
    result_.known.centroids = manifest_.centroids;
    result_.known.quantizers = *std::move(quantizers);
    return absl::OkStatus();
  }

  // They stay as they are on disk, and stay named.
  void KeepLinks() {
    for (size_t s = 0; s < manifest_.segments.size() && s < result_.segments.size(); ++s) {
      const std::optional<LinksFileInfo>& links = manifest_.segments[s].links;
      if (links && links->rows <= intact_rows_[s]) result_.known.links[result_.segments[s].get()] = *links;
    }
    result_.known.centroids = manifest_.centroids;
  }

  absl::Status LoadLinks() {
    for (size_t s = 0; s < manifest_.segments.size() && s < result_.segments.size(); ++s) {
      const std::optional<LinksFileInfo>& links = manifest_.segments[s].links;
      if (!links) continue;
      const std::string name = LinksFileName(links->number);
      absl::Status status;
      if (links->rows > intact_rows_[s]) {
        status = base::Error(absl::StatusCode::kDataLoss, "DATA_DAMAGED",
                             "rows that it links are not where they were. It is made again.");
      } else {
        status = result_.segments[s]->LoadLinks(files_, PathOf(name), *links);
      }
      if (status.ok()) {
        result_.known.links[result_.segments[s].get()] = *links;
      } else if (base::GetErrorInfo(status).reason != kLinksOfOtherKind) {
        // One of another kind is whole: it is named no more, and the next start removes it.
        SIGHTLINE_RETURN_IF_ERROR(SetAside(name, status));
      }
    }
    return absl::OkStatus();
  }

  Store& store_;
  const Files& files_;
  const std::string& folder_;
  const uint32_t segment_rows_;
  const bool low_memory_;
  const std::function<std::shared_ptr<Segment>(bool augmented)>& make_segment_;
  DescriptorCursor descriptors_;
  SegmentManifest manifest_;
  std::vector<ChunkPlace> places_;
  size_t next_ = 0;
  std::vector<uint32_t> intact_rows_;  // of each segment, from its first row on
  std::set<size_t> broken_;            // segments in which a chunk is missing, or rows are new
  LoadedSegments result_;
};

}  // namespace

absl::StatusOr<LoadedSegments> LoadSegments(
    Store& store, const Files& files, const std::string& folder, const DatabaseOptions& options,
    const std::function<std::shared_ptr<Segment>(bool augmented)>& make_segment) {
  return Loader(store, files, folder, options, make_segment).Load();
}

}  // namespace sightline::index
