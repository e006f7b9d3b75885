"""Words that MySQL and MariaDB give a meaning of their own, in lower case."""

from typing import Final

from rwrouter.model import Flavor


def words_of(text: str) -> frozenset[str]:
    """Return the words of *text*: how lists of words are written here, so that they can be read."""
    return frozenset(text.split())


# Written in capitals in a digest. Only words that are rarely names: a table `status` stays as it is written.
KEYWORDS: Final = words_of(
    """
    all alter analyze and any as asc begin between binary by call cascade case change character charset
    check collate commit create cross current_date current_time current_timestamp cursor database
    databases declare deallocate default delayed delete desc describe distinct distinctrow div do drop
    dual else end except execute exists explain false fetch flush for force foreign from full fulltext
    grant group handler having high_priority if ignore in index inner insert intersect interval into is
    join kill lateral left like limit load lock low_priority match mod natural not null offset on
    optimize or order outer over partition prepare procedure purge recursive regexp release rename
    repair repeat replace returning revoke right rlike rollback row rows savepoint schema select session
    set share show some sql_big_result sql_buffer_result sql_cache sql_calc_found_rows sql_no_cache
    sql_small_result start straight_join table tables then to transaction trigger true truncate union
    unique unlock update use using values when where while window with work write xa xor
    """
)

# Reserved words with no place in a read. (TRUNCATE, for one, is not reserved: it may be a name.) A reserved
# word without quotes is never a name, except after a dot.
NOT_IN_READS: Final = words_of(
    """
    alter analyze call change create cursor declare delayed delete drop dumpfile elseif fetch grant
    insert into iterate kill leave load lock loop low_priority optimize outfile procedure purge release
    rename repeat replace resignal return revoke signal trigger undo unlock update while write
    """
)

# Words that show, with bytes of unknown meaning around them, that those bytes may be blanks in some
# character set.
SUSPICIOUS: Final = NOT_IN_READS | words_of(
    """
    select for share set from union except intersect into in mode next previous value do handler
    truncate where having order group limit as with table values
    """
)

# A word before "(" that is syntax, not a function: none of them can name a stored function that is called
# without quotes (tried on MySQL 9.7 and MariaDB 10.11).
BEFORE_PARENTHESIS: Final = words_of(
    """
    all and any as between by case cross distinct distinctrow div else except exists from
 group having in inner intersect interval is join key left like limit mod natural not
    offset on or order outer over partition regexp right rlike rows select
    some straight_join then union using values when where with xor binary row index
    sql_big_result sql_buffer_result sql_calc_found_rows sql_no_cache sql_small_result
    high_priority bigint bit blob char character date datetime dec decimal double float int integer json
    longblob longtext mediumblob mediumint mediumtext national nchar numeric nvarchar real signed
    smallint text time timestamp tinyblob tinyint tinytext unsigned varbinary varchar varcharacter
 year table
    """
)

# They count as functions only where "(" follows at once (IGNORE_SPACE); with a blank between, the name may be
# a stored function's. "Function Name Parsing and Resolution" in the manual.
_NO_BLANK: Final = words_of(
    """
    adddate bit_and bit_or bit_xor cast count curdate curtime date_add date_sub extract group_concat
    json_arrayagg json_objectagg max mid min now position session_user st_collect std stddev stddev_pop
    stddev_samp subdate substr substring sum sysdate system_user trim variance var_pop var_samp
    """
)
NO_BLANK_BEFORE_PARENTHESIS: Final = {
    Flavor.MYSQL: _NO_BLANK | {"json_duality_object"},
    Flavor.MARIADB: _NO_BLANK
    | words_of(
        """
    cume_dist dense_rank first_value json_table lag lead median nth_value ntile percent_rank percentile_cont
    percentile_disc rank trim_oracle
    """
    ),
}
