// Table: rows of text in aligned columns.
//
// For programs the columns are not aligned: a tab stands between fields, so that `cut -f2` and awk need no guessing.
//
// Threading: a value. Failure: none; cells are made printable, so that no cell has a tab or a line break.
//
//   Table table({{"rank", Align::kRight}, {"id"}, {"score", Align::kRight}});
//   table.AddRow({"1", "shoes/17.jpg", "0.9312"});
//   out.Write(table.Render());
#ifndef SIGHTLINE_CLIENT_CLI_TABLE_H_
#define SIGHTLINE_CLIENT_CLI_TABLE_H_

#include <string>
#include <vector>

namespace sightline::cli {

enum class Align { kLeft, kRight };

enum class TableStyle { kAligned, kColoured, kFields };

class Table {
 public:
  struct Column {
    std::string title = {};
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void AddRow(std::vector<std::string> cells);
  // The titles and the rows, two spaces between columns, no spaces at the ends of lines; or a tab between fields.
  // Without `titles` the rows alone: a listing of many pages has them once.
  std::string Render(TableStyle style = TableStyle::kAligned, bool titles = true) const;
  bool empty() const { return rows_.empty(); }

 private:
  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_TABLE_H_
