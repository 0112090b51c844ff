// The same query for programs. Pure.

const python = (text) => JSON.stringify(text);
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// Texts by the name of the program.
export function snippets(service, query, rows, upload) {
  const more = upload ? `, uploads={${python(upload)}: my_table}` : "";
  const [plain, text] = upload ? ["-F", "--form-string"] : ["-d", "--data-urlencode"];
  const sent = upload ? ` -F UPLOAD=${upload},param:table -F table=@my_table.vot` : "";
  const stilts = upload ? ` nupload=1 upload1=my_table.vot upname1=${upload}` : "";
  return {
    pyvo: `import pyvo\n\ntap = pyvo.dal.TAPService(${python(service)})\ntable = tap.search(${python(query)}, maxrec=${rows}${more}).to_table()\n`,
    curl: `curl ${shell(`${service}/sync`)} ${plain} LANG=ADQL ${plain} RESPONSEFORMAT=votable ${plain} MAXREC=${rows}${sent} ${text} ${shell(`QUERY=${query}`)} -o result.vot\n`,
    stilts: `stilts tapquery tapurl=${shell(service)} maxrec=${rows}${stilts} adql=${shell(query)} out=result.fits\n`,
  };
}
