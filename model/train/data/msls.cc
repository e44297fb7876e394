// Mapillary Street Level Sequences (Warburg et al. 2020): root/train_val/CITY/{query,database}/ with postprocessed.csv
// (key, night, view_direction), raw.csv (key, lon, lat, pano) and images/KEY.jpg. The label is the city: what shows the
// same place is for gps_pairs.h to say. The split "val" is the cities cph and sf, "train" the others, "test" those in
// root/test.
//
// Panoramas are left out. Photographs at night, and those that look sideways, are as many as they are few more often
// drawn: a query's weight is 1, and N / n more for each of the two groups of n among the N queries that it is in, as
// the authors' own sampler has it.
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"
#include "model/train/data/layout.h"

namespace sightline::train {
namespace {

struct StreetPhoto {
  Photo photo;
  std::string city;
  bool night = false;
  bool sideways = false;
};

struct RawRow {
  Position position;
  bool panorama = false;
};

absl::StatusOr<bool> ReadTruth(const base::CsvReader& csv, size_t column) {
  if (csv[column] == "True") return true;
  if (csv[column] == "False") return false;
  return csv.Wrong(column, "it must be True or False. Use the file as it is published.");
}

absl::StatusOr<absl::flat_hash_map<std::string, RawRow>> ReadRaw(const DatasetConfig& config,
                                                                 const std::string& folder) {
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile file, ReadBelow(config, folder + "/raw.csv"));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(file.path, file.text));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t key, csv.Column("key"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t longitude, csv.Column("lon"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t latitude, csv.Column("lat"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t panorama, csv.Column("pano"));
  absl::flat_hash_map<std::string, RawRow> rows;
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return rows;
    RawRow row;
    SIGHTLINE_ASSIGN_OR_RETURN(row.position.latitude, csv.Number(latitude, -90, 90));
    SIGHTLINE_ASSIGN_OR_RETURN(row.position.longitude, csv.Number(longitude, -180, 180));
    SIGHTLINE_ASSIGN_OR_RETURN(row.panorama, ReadTruth(csv, panorama));
    if (!rows.try_emplace(std::string(csv[key]), row).second) {
      return csv.Wrong(key, "an earlier line has the same. Give every image one line.");
    }
  }
}

// One of the two folders of a city.
absl::Status ReadSide(const DatasetConfig& config, const std::string& city, const std::string& folder, bool query,
                      std::vector<StreetPhoto>& photos) {
  SIGHTLINE_ASSIGN_OR_RETURN(const auto raw, ReadRaw(config, folder));
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile file, ReadBelow(config, folder + "/postprocessed.csv"));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(file.path, file.text));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t key, csv.Column("key"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t night, csv.Column("night"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t direction, csv.Column("view_direction"));
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return absl::OkStatus();
    if (!IsPlainId(csv[key], 1, 64)) {
      return csv.Wrong(key, "it must be of 1 to 64 letters, digits, - and _. Use the file as it is published.");
    }
    const auto row = raw.find(csv[key]);
    if (row == raw.end()) return csv.Wrong(key, "raw.csv does not have it. Add its position.");
    if (row->second.panorama) continue;
    StreetPhoto street;
    street.photo.path = Below(config, absl::StrCat(folder, "/images/", csv[key], ".jpg"));
    street.photo.position = row->second.position;
    street.photo.query = query;
    street.city = city;
    street.sideways = csv[direction] == "Sideways";
    SIGHTLINE_ASSIGN_OR_RETURN(street.night, ReadTruth(csv, night));
    photos.push_back(std::move(street));
  }
}

void Weigh(std::vector<StreetPhoto>& photos) {
  double queries = 0, night = 0, sideways = 0;
  for (const StreetPhoto& street : photos) {
    if (!street.photo.query) continue;
    ++queries;
    night += street.night ? 1 : 0;
    sideways += street.sideways ? 1 : 0;
  }
  for (StreetPhoto& street : photos) {
    if (!street.photo.query) continue;
    if (street.night) street.photo.weight += queries / night;
    if (street.sideways) street.photo.weight += queries / sideways;
  }
}

}  // namespace

absl::Status ReadMsls(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSplit(config, {"train", "val", "test"}));
  const std::string part = config.split == "test" ? "test" : "train_val";
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> cities, base::ListFolder(Below(config, part)));
  std::vector<StreetPhoto> photos;
  for (const std::string& city : cities) {
    const bool val = city == "cph" || city == "sf";
    std::error_code error;
    if (!std::filesystem::is_directory(Below(config, absl::StrCat(part, "/", city)), error)) continue;
    if ((config.split == "train" && val) || (config.split == "val" && !val)) continue;
    for (const absl::string_view side : {"query", "database"}) {
      SIGHTLINE_RETURN_IF_ERROR(
          ReadSide(config, city, absl::StrCat(part, "/", city, "/", side), side == "query", photos));
    }
  }
  Weigh(photos);
  for (StreetPhoto& street : photos) builder.Add(std::move(street.photo), street.city);
  return absl::OkStatus();
}

}  // namespace sightline::train
